"""Stopping: the first Ctrl-C or SIGTERM is noted, and the step may end; the second stops at once."""

import signal
from collections.abc import Callable
from types import FrameType
from typing import Any

from rl.failures import RunFailure


class Stopping:
    """Takes the process's signals until they are restored.

    A machine that is taken away (SIGTERM) waits no longer than `grace` seconds: a step that hangs is given up then.
    """

    def __init__(self, grace: float, *, pass_on: Callable[[int], None] | None = None) -> None:
        self.grace = grace
        self.signal: int | None = None
        self._pass_on = pass_on
        self._previous: dict[int, Any] = {}

    @property
    def interrupted(self) -> bool:
        return self.signal is not None

    @property
    def preempted(self) -> bool:
        return self.signal == signal.SIGTERM

    def take(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._previous[number] = signal.signal(number, self._note)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.interrupted:
            raise KeyboardInterrupt
        self.signal = number
        print("\nFinishing this step, then saving. Press Ctrl-C again to stop at once, without saving.", flush=True)
        if self._pass_on is not None:
            self._pass_on(number)
        if self.preempted:
            self._previous[signal.SIGALRM] = signal.signal(signal.SIGALRM, self._give_up)
            signal.setitimer(signal.ITIMER_REAL, self.grace)

    def _give_up(self, number: int, frame: FrameType | None) -> None:
        raise RunFailure(f"the step was not done and saved within run.grace={self.grace:g} s of SIGTERM")

    def restore(self) -> None:
        """Give the signals back to whoever had them."""
        if signal.SIGALRM in self._previous:
            signal.setitimer(signal.ITIMER_REAL, 0.0)
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous.clear()
