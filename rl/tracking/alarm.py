"""Alarm: a callback that watches what is logged and warns, once and in one line, when something begins to go wrong."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from transformers import TrainerCallback, TrainerControl, TrainerState

from rl.runs.jsonl import read_jsonl


class Alarm(TrainerCallback):
    """Prints the warning and logs it under `name` when it begins to hold; after it has ceased, it may come again.

    A subclass sets `warning` in `update`. A resumed run is compared with its own first steps.
    """

    name: str

    def __init__(self, log: Callable[[dict[str, Any]], None], metrics_path: Path, console: Console):
        self.log = log
        self.metrics_path = metrics_path
        self.console = console
        self.warning: str | None = None

    def update(self, logs: Mapping[str, Any], step: int) -> None:
        """Take what was logged at a step, and set `warning` to the sentence that now holds, or to None."""
        raise NotImplementedError

    def on_train_begin(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        for line in read_jsonl(self.metrics_path):
            self.update(line, line["step"])

    def on_log(
        self, args: Any, state: TrainerState, control: TrainerControl, logs: dict[str, Any] | None = None, **_: Any
    ) -> None:
        before = self.warning
        self.update(logs or {}, state.global_step)
        if self.warning is not None and before is None and state.is_world_process_zero:
            self.console.print(f"[bold red]step {state.global_step}: {self.warning}[/bold red]", soft_wrap=True)
            self.log({self.name: self.warning})
