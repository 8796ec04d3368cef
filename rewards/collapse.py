"""Collapse alarm: warns when completions become much shorter, more certain or poorer in words than at the start."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import fmean

METRICS = ("mean_length", "entropy", "distinct_words")
"""The values that can be monitored."""


@dataclass(kw_only=True, slots=True)
class SinceStart:
    """Means of several values over their first and over their last `window` steps."""

    window: int
    _first: dict[str, list[float]] = field(default_factory=dict)
    _last: dict[str, deque[float]] = field(default_factory=dict)

    def means(self, name: str, value: float) -> tuple[float, float] | None:
        """Add one step's value; return both means, or None before there are `window` steps for each."""
        first = self._first.setdefault(name, [])
        if len(first) < self.window:
            first.append(value)
            return None
        last = self._last.setdefault(name, deque(maxlen=self.window))
        last.append(value)
        return None if len(last) < self.window else (fmean(first), fmean(last))


@dataclass(kw_only=True, slots=True)
class CollapseAlarm:
    """Compare the mean of the last `window` steps with the mean of the first `window` steps.

    Example:
        alarm = CollapseAlarm(fall=0.5, window=5)
        line = alarm.update({"mean_length": 31.0, "entropy": 1.2, "distinct_words": 0.8})     # None, or one sentence
    """

    fall: float = 0.5
    """Warn when a value has lost this share of what it was at the start."""
    window: int = 5
    """Number of steps that are averaged."""
    _since_start: SinceStart = field(init=False)

    def __post_init__(self) -> None:
        if not 0 < self.fall < 1:
            raise ValueError(f"fall must be a share between 0 and 1, got {self.fall}")
        if self.window < 1:
            raise ValueError(f"window must be at least 1 step, got {self.window}")
        self._since_start = SinceStart(window=self.window)

    def update(self, values: Mapping[str, float]) -> str | None:
        """Add one step's values; return a warning if any of them has fallen too far."""
        unknown = sorted(set(values) - set(METRICS))
        if unknown:
            raise ValueError(f"unknown values {unknown}; known are {', '.join(METRICS)}")
        falls = [line for name, value in values.items() if (line := self._compare(name, value))]
        return f"collapse: {'; '.join(falls)} (compared with the first {self.window} steps)" if falls else None

    def _compare(self, name: str, value: float) -> str | None:
        means = self._since_start.means(name, value)
        if means is None or means[1] > (1 - self.fall) * means[0]:
            return None
        before, now = means
        return f"{name} fell from {before:.3g} to {now:.3g}"
