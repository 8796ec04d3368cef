"""Reward weights: how much each of several rewards weighs as training goes on, and which rewards conflict.

The weights multiply what TRL's `normalize_then_sum` standardises within each group before the sum; so a weight is a
share of influence, whatever the reward's scale.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import fmean


@dataclass(frozen=True, kw_only=True, slots=True)
class Fixed:
    """A constant weight."""

    weight: float = 1.0

    def next_weight(self, weight: float, *, progress: float, rate: float | None) -> float:
        return self.weight


@dataclass(frozen=True, kw_only=True, slots=True)
class Rising:
    """A weight that rises from 0 towards `weight`: weight * (1 - exp(-speed * progress))."""

    weight: float = 1.0
    speed: float = 5.0

    def next_weight(self, weight: float, *, progress: float, rate: float | None) -> float:
        return self.weight * (1 - math.exp(-self.speed * progress))


@dataclass(frozen=True, kw_only=True, slots=True)
class Decaying:
    """A weight that decays from `weight` towards 0: weight * exp(-speed * progress)."""

    weight: float = 1.0
    speed: float = 5.0

    def next_weight(self, weight: float, *, progress: float, rate: float | None) -> float:
        return self.weight * math.exp(-self.speed * progress)


@dataclass(frozen=True, kw_only=True, slots=True)
class Targeted:
    """Dual ascent: clip(w + step * (target - rate), 0, maximum), so a reward short of its target weighs more."""

    weight: float = 1.0
    """The weight at the start."""
    target: float = 0.9
    step: float = 0.1
    maximum: float = 4.0

    def next_weight(self, weight: float, *, progress: float, rate: float | None) -> float:
        if rate is None:
            return weight
        return min(self.maximum, max(0.0, weight + self.step * (self.target - rate)))


WeightSchedule = Fixed | Rising | Decaying | Targeted
"""`next_weight` gives the next weight from the current one, the share of training done, and the reward's mean."""


class RewardBalancer:
    """Holds the current weight of each reward; `weights` is all there is to save and to restore on resuming."""

    def __init__(self, schedules: Mapping[str, WeightSchedule]) -> None:
        if not schedules:
            raise ValueError("at least one reward is needed to balance")
        self.schedules = dict(schedules)
        self.weights = {name: _first_weight(schedule) for name, schedule in self.schedules.items()}

    def update(self, *, progress: float, rates: Mapping[str, float | None]) -> dict[str, float]:
        """Compute, store and return the weights for the next step.

        Args:
            progress: share of training done, 0 to 1.
            rates: mean of each reward over the last step; None where none applied.
        """
        if not 0 <= progress <= 1:
            raise ValueError(f"progress must be a share of training between 0 and 1, got {progress}")
        unknown = sorted(set(rates) - set(self.schedules))
        if unknown:
            raise ValueError(f"unknown rewards {unknown}; known are {sorted(self.schedules)}")
        self.weights = {
            name: schedule.next_weight(self.weights[name], progress=progress, rate=rates.get(name))
            for name, schedule in self.schedules.items()
        }
        return dict(self.weights)


def _first_weight(schedule: WeightSchedule) -> float:
    return schedule.next_weight(schedule.weight, progress=0.0, rate=None)


def group_advantages(scores: Sequence[float | None], *, group_size: int) -> list[float | None]:
    """Return each score minus its group's mean, over its group's standard deviation; 0 in a group of equals."""
    if group_size < 1 or len(scores) % group_size:
        raise ValueError(f"{len(scores)} scores cannot be split into groups of {group_size}")
    groups = [scores[start : start + group_size] for start in range(0, len(scores), group_size)]
    return [advantage for group in groups for advantage in _standardised(group)]


def _standardised(group: Sequence[float | None]) -> list[float | None]:
    known = [score for score in group if score is not None]
    mean = fmean(known) if known else 0.0
    spread = math.sqrt(fmean((score - mean) ** 2 for score in known)) if known else 0.0
    return [None if score is None else (score - mean) / spread if spread > 1e-9 else 0.0 for score in group]


def advantage_correlations(
    scores: Mapping[str, Sequence[float | None]], *, group_size: int
) -> dict[tuple[str, str], float]:
    """Return the Pearson correlation of the advantages of each pair of rewards; negative = they conflict.

    Rows where either reward does not apply are left out, as are pairs where either never differs within a group.
    """
    advantages = {name: group_advantages(values, group_size=group_size) for name, values in scores.items()}
    pairs = {
        (first, second): _correlation(advantages[first], advantages[second])
        for first, second in combinations(sorted(advantages), 2)
    }
    return {names: value for names, value in pairs.items() if value is not None}


def _correlation(first: Sequence[float | None], second: Sequence[float | None]) -> float | None:
    rows = [(x, y) for x, y in zip(first, second, strict=True) if x is not None and y is not None]
    if not rows:
        return None
    mean_x, mean_y = fmean(x for x, _ in rows), fmean(y for _, y in rows)
    spread = math.sqrt(sum((x - mean_x) ** 2 for x, _ in rows) * sum((y - mean_y) ** 2 for _, y in rows))
    return sum((x - mean_x) * (y - mean_y) for x, y in rows) / spread if spread > 1e-9 else None
