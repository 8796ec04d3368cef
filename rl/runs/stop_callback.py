"""Stop callback: the first Ctrl-C, SIGTERM or stop file ends the step and saves it; Ctrl-C after it stops at once."""

import threading
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl

from rl.common.distributed import is_main_process, max_over_ranks
from rl.runs.signals import SignalHandler, consume_stop_request


class StopCallback(SignalHandler, TrainerCallback):
    """Turns a signal, or a file `stop` in the run folder, into a save at the end of the current step."""

    def __init__(self, folder: Path, grace: float = 120.0) -> None:
        super().__init__(grace)
        self.folder = folder

    def on_train_begin(self, args: Any, state: Any, control: TrainerControl, **_: Any) -> None:
        # A rank of Ray Train runs in a side thread, where Python takes no handlers: there the process that started the
        # ranks gets the signals, and writes the stop file.
        if threading.current_thread() is threading.main_thread():
            self.install()

    def on_step_end(self, args: Any, state: Any, control: TrainerControl, **_: Any) -> None:
        if is_main_process() and not self.interrupted:
            self.signal = consume_stop_request(self.folder)
        # A signal may reach the ranks at different steps, but they must stop at the same one.
        self.signal = max_over_ranks(self.signal or 0) or None
        if self.interrupted:
            control.should_save = control.should_training_stop = True

    def on_train_end(self, args: Any, state: Any, control: TrainerControl, **_: Any) -> None:
        self.uninstall()
