"""Interruption: the first Ctrl-C, SIGTERM or stop file finishes the step and saves; a second signal stops at once."""

import threading
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl

from rl.common.distributed import is_main_process, max_over_ranks
from rl.runs.signals import SignalHandler, take_stop_request


class StopCallback(SignalHandler, TrainerCallback):
    """Turns signals, and a file `stop` in the run folder, into a save at the end of the current step."""

    def __init__(self, folder: Path, grace: float = 120.0) -> None:
        super().__init__(grace)
        self.folder = folder

    def on_train_begin(self, args: Any, state: Any, control: TrainerControl, **_: Any) -> None:
        # Ray Train's ranks are no main thread: signals reach the process that started them, which writes the file.
        if threading.current_thread() is threading.main_thread():
            self.take()

    def on_step_end(self, args: Any, state: Any, control: TrainerControl, **_: Any) -> None:
        if is_main_process() and not self.interrupted:
            self.signal = take_stop_request(self.folder)
        # a signal may reach the ranks at different steps; they stop at the same one
        self.signal = max_over_ranks(self.signal or 0) or None
        if self.interrupted:
            control.should_save = control.should_training_stop = True

    def on_train_end(self, args: Any, state: Any, control: TrainerControl, **_: Any) -> None:
        self.restore()
