"""Indicator alarm: warns, once and in one line, when the policy's attention is no longer what it was at the start."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from attention_probes.indicators import INDICATORS
from rewards.collapse import SinceStart
from rl.tracking.alarm import Alarm

WINDOW = 5
"""Logged steps that are averaged, at the start and now."""


class IndicatorAlarm(Alarm):
    """Warns when an indicator has moved, up or down, by `change` of what it was in the first steps."""

    name = "attention_moved"

    def __init__(self, change: float, log: Callable[[dict[str, Any]], None], metrics_path: Path, console: Console):
        super().__init__(log, metrics_path, console)
        self.change = change
        self._since_start = SinceStart(window=WINDOW)

    def update(self, logs: Mapping[str, Any], step: int) -> None:
        watched = {name: float(value) for name, value in logs.items() if is_indicator(name) and value is not None}
        if not watched:
            return
        means = {name: self._since_start.means(name, value) for name, value in watched.items()}
        moves = [
            f"{name.removeprefix('probe/')} went from {first:.3g} to {last:.3g}"
            for name, (first, last) in ((name, pair) for name, pair in means.items() if pair is not None)
            if abs(last - first) >= self.change * first > 0.0
        ]
        compared = f"(compared with the first {WINDOW} logged steps)"
        self.warning = f"attention has moved: {'; '.join(moves)} {compared}" if moves else None


def is_indicator(metric: str) -> bool:
    """Return whether a logged metric is one, such as probe/entropy/layers_10-12."""
    parts = metric.split("/")
    return len(parts) == 3 and parts[0] == "probe" and parts[1] in INDICATORS
