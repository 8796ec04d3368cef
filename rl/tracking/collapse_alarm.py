"""Collapse alarm: warns, once and in one line, when answers become shorter, surer or poorer in words."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from rewards.collapse import CollapseAlarm
from rl.config.rewards import RewardsConfig
from rl.tracking.alarm import Alarm

WATCHED = {
    "completions/mean_length": "mean_length",
    "entropy": "entropy",
    "completions/distinct_words": "distinct_words",
}
"""Logged metric -> what the alarm calls it."""


class CollapseAlarmCallback(Alarm):
    """Feeds what is logged to `rewards.collapse`."""

    name = "collapse"

    def __init__(
        self, rewards: RewardsConfig, log: Callable[[dict[str, Any]], None], metrics_path: Path, console: Console
    ):
        super().__init__(log, metrics_path, console)
        assert rewards.collapse_fall is not None, "collapse_fall=None switches the alarm off"
        self._alarm = CollapseAlarm(fall=rewards.collapse_fall, window=rewards.collapse_window)

    def update(self, logs: Mapping[str, Any], step: int) -> None:
        values = {name: float(logs[metric]) for metric, name in WATCHED.items() if logs.get(metric) is not None}
        if values:
            self.warning = self._alarm.update(values)
