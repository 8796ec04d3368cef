"""Collapse alarm: warns, once and in one line, when answers become shorter, surer or poorer in words."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from transformers import TrainerCallback, TrainerControl, TrainerState

from rewards.collapse import CollapseAlarm
from rl.config.rewards import RewardsConfig
from rl.runs.jsonl import read_jsonl

WATCHED = {
    "completions/mean_length": "mean_length",
    "entropy": "entropy",
    "completions/distinct_words": "distinct_words",
}
"""Logged metric -> what the alarm calls it."""


class CollapseAlarmCallback(TrainerCallback):
    """Feeds what is logged to the alarm; when a collapse begins, the warning is printed and logged as `collapse`."""

    def __init__(
        self, rewards: RewardsConfig, log: Callable[[dict[str, Any]], None], metrics_path: Path, console: Console
    ):
        assert rewards.collapse_fall is not None, "collapse_fall=None switches the alarm off"
        self.log = log
        self.metrics_path = metrics_path
        self.console = console
        self._alarm = CollapseAlarm(fall=rewards.collapse_fall, window=rewards.collapse_window)
        self._warned = False

    def on_train_begin(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        # A resumed run is compared with its own first steps.
        for line in read_jsonl(self.metrics_path):
            self._update(line)

    def on_log(
        self, args: Any, state: TrainerState, control: TrainerControl, logs: dict[str, Any] | None = None, **_: Any
    ) -> None:
        was_warned = self._warned
        warning = self._update(logs or {})
        if warning is not None and not was_warned and state.is_world_process_zero:
            self.console.print(f"[bold red]step {state.global_step}: {warning}[/bold red]", soft_wrap=True)
            self.log({"collapse": warning})

    def _update(self, logs: dict[str, Any]) -> str | None:
        values = {name: float(logs[metric]) for metric, name in WATCHED.items() if logs.get(metric) is not None}
        warning = self._alarm.update(values) if values else None
        self._warned = warning is not None if values else self._warned
        return warning
