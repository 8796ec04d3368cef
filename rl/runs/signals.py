"""Signals: the first Ctrl-C, SIGTERM or stop file lets the step end; a second signal stops at once."""

import signal
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from rl.common.atomic import write_text
from rl.common.errors import RunFailure

STOP = "stop"
"""In the run folder; it holds a signal's number, or nothing if somebody touched it."""


class SignalHandler:
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


def request_stop(folder: Path, number: int) -> None:
    write_text(folder / STOP, f"{number}\n")


def take_stop_request(folder: Path) -> int | None:
    """The signal that the run was asked to stop by, once; None while nobody has."""
    asked = folder / STOP
    if not asked.exists():
        return None
    text = asked.read_text().strip()
    asked.unlink()
    return signal.SIGTERM if text == str(int(signal.SIGTERM)) else signal.SIGINT
