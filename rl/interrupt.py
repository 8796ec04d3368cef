"""Interruption: the first Ctrl-C or SIGTERM finishes the step and saves; the second stops at once."""

import signal
from types import FrameType
from typing import Any

from transformers import TrainerCallback, TrainerControl


class InterruptCallback(TrainerCallback):
    """Turns signals into a save at the end of the current step."""

    def __init__(self) -> None:
        self.interrupted = False
        self._previous: dict[int, Any] = {}

    def on_train_begin(self, args: Any, state: Any, control: TrainerControl, **_: Any) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._previous[number] = signal.signal(number, self._note)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.interrupted:
            raise KeyboardInterrupt
        self.interrupted = True
        print("\nFinishing this step, then saving. Press Ctrl-C again to stop at once, without saving.", flush=True)

    def on_step_end(self, args: Any, state: Any, control: TrainerControl, **_: Any) -> None:
        if self.interrupted:
            control.should_save = control.should_training_stop = True

    def on_train_end(self, args: Any, state: Any, control: TrainerControl, **_: Any) -> None:
        self.restore()

    def restore(self) -> None:
        """Give the signals back to whoever had them."""
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous.clear()
