"""Interruption: the first Ctrl-C, SIGTERM or stop file finishes the step and saves; a second signal stops at once."""

import signal
import threading
from pathlib import Path
from types import FrameType
from typing import Any

from transformers import TrainerCallback, TrainerControl

from rl.failures import RunFailure
from rl.ranks import any_rank, is_first
from rl.stop_file import take_stop


class InterruptCallback(TrainerCallback):
    """Turns signals, and a file `stop` in the run folder, into a save at the end of the current step.

    A machine that is taken away (SIGTERM) waits no longer than `grace` seconds: a step that hangs is given up then.
    """

    def __init__(self, folder: Path, grace: float = 120.0) -> None:
        self.folder = folder
        self.grace = grace
        self.signal: int | None = None
        self._previous: dict[int, Any] = {}

    @property
    def interrupted(self) -> bool:
        return self.signal is not None

    @property
    def preempted(self) -> bool:
        return self.signal == signal.SIGTERM

    def on_train_begin(self, args: Any, state: Any, control: TrainerControl, **_: Any) -> None:
        if threading.current_thread() is not threading.main_thread():
            return  # Ray Train's ranks: signals reach the process that started them, which writes the file
        for number in (signal.SIGINT, signal.SIGTERM):
            self._previous[number] = signal.signal(number, self._note)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.interrupted:
            raise KeyboardInterrupt
        self.signal = number
        print("\nFinishing this step, then saving. Press Ctrl-C again to stop at once, without saving.", flush=True)
        if self.preempted:
            self._previous[signal.SIGALRM] = signal.signal(signal.SIGALRM, self._give_up)
            signal.setitimer(signal.ITIMER_REAL, self.grace)

    def _give_up(self, number: int, frame: FrameType | None) -> None:
        raise RunFailure(f"the step was not done and saved within run.grace={self.grace:g} s of SIGTERM")

    def on_step_end(self, args: Any, state: Any, control: TrainerControl, **_: Any) -> None:
        if is_first() and not self.interrupted:
            self.signal = take_stop(self.folder)
        # a signal may reach the ranks at different steps; they stop at the same one
        self.signal = any_rank(self.signal or 0) or None
        if self.interrupted:
            control.should_save = control.should_training_stop = True

    def on_train_end(self, args: Any, state: Any, control: TrainerControl, **_: Any) -> None:
        self.restore()

    def restore(self) -> None:
        """Give the signals back to whoever had them."""
        if signal.SIGALRM in self._previous:
            signal.setitimer(signal.ITIMER_REAL, 0.0)
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous.clear()
