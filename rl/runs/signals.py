"""Signals: the first Ctrl-C or SIGTERM, or a stop file, is remembered; Ctrl-C after it stops the process at once."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from rl.common.atomic import write_text
from rl.common.errors import RunFailure

STOP = "stop"
"""A file in the run folder that asks the run to stop. It holds a signal's number, or nothing (`touch RUN/stop`)."""

UNFINISHED = os.EX_TEMPFAIL  # 75
"""Exit code of a run that is saved and not finished: starting it again continues it."""


@contextmanager
def unfinished_on_sigterm() -> Iterator[None]:
    """Let SIGTERM end the block with the exit code UNFINISHED: before and after the steps there is nothing to save."""

    def end(number: int, frame: FrameType | None) -> None:
        raise SystemExit(UNFINISHED)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


class SignalHandler:
    """Handles SIGINT and SIGTERM between `install` and `uninstall`.

    SIGTERM means that the machine is taken away: a step that is not saved `grace` seconds later is given up.
    """

    def __init__(self, grace: float, *, forward: Callable[[int], None] | None = None) -> None:
        """`forward` is called with the number of the first signal."""
        self.grace = grace
        self.signal: int | None = None
        self._forward = forward
        self._previous: dict[int, Any] = {}

    @property
    def interrupted(self) -> bool:
        return self.signal is not None

    @property
    def preempted(self) -> bool:
        return self.signal == signal.SIGTERM

    def install(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._previous[number] = signal.signal(number, self._handle)

    def uninstall(self) -> None:
        """Put back the handlers that were there before."""
        if signal.SIGALRM in self._previous:
            signal.setitimer(signal.ITIMER_REAL, 0.0)
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous.clear()

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.interrupted:
            if number == signal.SIGINT:
                raise KeyboardInterrupt
            return  # a scheduler and the process that started the ranks may each send SIGTERM
        self.signal = number
        print("\nFinishing this step, then saving. Press Ctrl-C again to stop at once, without saving.", flush=True)
        if self._forward is not None:
            self._forward(number)
        if self.preempted:
            self._previous[signal.SIGALRM] = signal.signal(signal.SIGALRM, self._give_up)
            signal.setitimer(signal.ITIMER_REAL, self.grace)

    def _give_up(self, number: int, frame: FrameType | None) -> None:
        raise RunFailure(f"the step was not done and saved within run.grace={self.grace:g} s of SIGTERM")


def request_stop(folder: Path, number: int) -> None:
    """Ask the run in `folder` to stop as if signal `number` had reached it."""
    write_text(folder / STOP, f"{number}\n")


def consume_stop_request(folder: Path) -> int | None:
    """Remove the stop file and return the signal that it stands for; None when there is no such file."""
    path = folder / STOP
    if not path.exists():
        return None
    text = path.read_text().strip()
    path.unlink()
    return signal.SIGTERM if text == str(int(signal.SIGTERM)) else signal.SIGINT
