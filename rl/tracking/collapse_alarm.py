"""The collapse watch: warns, once and in one line, when answers become shorter, surer or poorer in words."""

from typing import Any

from rich.console import Console
from transformers import TrainerCallback, TrainerState

from rewards.collapse import CollapseAlarm
from rl.config.rewards import RewardsConfig
from rl.runs.jsonl import JsonlFile, read_jsonl

WATCHED = {
    "completions/mean_length": "mean_length",
    "entropy": "entropy",
    "completions/distinct_words": "distinct_words",
}
"""Logged metric -> what the alarm calls it."""


class CollapseAlarmCallback(TrainerCallback):
    """Feeds what is logged to the alarm; a warning is printed and appended to the journal when it first holds."""

    def __init__(self, rewards: RewardsConfig, log_file: JsonlFile, console: Console):
        assert rewards.collapse_fall is not None, "without a share to fall by there is nothing to watch"
        self.log_file = log_file
        self.console = console
        self._alarm = CollapseAlarm(fall=rewards.collapse_fall, window=rewards.collapse_window)
        self._warned = False

    def on_train_begin(self, args: Any, state: TrainerState, control: Any, **_: Any) -> None:
        """A resumed run is compared with its own beginning, which the journal holds."""
        for line in read_jsonl(self.log_file.path):
            self._look(line)

    def on_log(self, args: Any, state: TrainerState, control: Any, logs: Any = None, **_: Any) -> None:
        was_warned = self._warned
        warning = self._look(logs or {})
        if warning is not None and not was_warned and state.is_world_process_zero:
            self.log_file.append({"step": state.global_step, "collapse": warning})
            self.console.print(f"[bold red]step {state.global_step}: {warning}[/bold red]")

    def _look(self, logs: dict[str, Any]) -> str | None:
        seen = {name: float(logs[metric]) for metric, name in WATCHED.items() if logs.get(metric) is not None}
        warning = self._alarm.update(seen) if seen else None
        self._warned = warning is not None if seen else self._warned
        return warning
