"""Collapse: one line of warning when texts become shorter, surer or poorer in words than they began."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import fmean

WATCHED = ("mean_length", "entropy", "distinct_words")


@dataclass(kw_only=True, slots=True)
class CollapseAlarm:
    """Compares the mean of the last `window` steps with that of the first `window` steps.

    Example:
        alarm = CollapseAlarm(fall=0.5, window=5)
        line = alarm.update({"mean_length": 31.0, "entropy": 1.2, "distinct_words": 0.8})     # None, or one sentence
    """

    fall: float = 0.5
    """Alarm when a value has lost this share of what it was at the start."""
    window: int = 5
    """Steps."""
    _first: dict[str, list[float]] = field(default_factory=dict)
    _last: dict[str, deque[float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not 0 < self.fall < 1:
            raise ValueError(f"fall is a share between 0 and 1, got {self.fall}")
        if self.window < 1:
            raise ValueError(f"window is at least 1 step, got {self.window}")

    def update(self, values: Mapping[str, float]) -> str | None:
        """Take one step's values; return the warning if any of them has fallen too far."""
        unknown = sorted(set(values) - set(WATCHED))
        if unknown:
            raise ValueError(f"cannot watch {unknown}; known are {', '.join(WATCHED)}")
        falls = [line for name, value in values.items() if (line := self._watch(name, value))]
        return f"collapse: {'; '.join(falls)} (compared with the first {self.window} steps)" if falls else None

    def _watch(self, name: str, value: float) -> str | None:
        first = self._first.setdefault(name, [])
        if len(first) < self.window:
            first.append(value)
            return None
        last = self._last.setdefault(name, deque(maxlen=self.window))
        last.append(value)
        before, now = fmean(first), fmean(last)
        if len(last) < self.window or now > (1 - self.fall) * before:
            return None
        return f"{name} fell from {before:.3g} to {now:.3g}"
