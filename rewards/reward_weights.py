"""Balance: how much each of several rewards weighs as training goes on, and which of them pull against each other.

The weights go onto TRL's `normalize_then_sum`, which standardises each reward within its group before the sum; so a
weight is a share of influence, whatever the reward's scale.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import fmean
from typing import Protocol


class Schedule(Protocol):
    """How the weight of one reward follows from what has been seen."""

    def next_weight(self, weight: float, *, progress: float, rate: float | None) -> float:
        """The weight from now on, given the present one, the share of training done, and the reward's mean."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Fixed:
    """The same weight all along."""

    weight: float = 1.0

    def next_weight(self, weight: float, *, progress: float, rate: float | None) -> float:
        return self.weight


@dataclass(frozen=True, kw_only=True, slots=True)
class Rising:
    """weight * (1 - exp(-speed * progress)): from 0 towards the weight."""

    weight: float = 1.0
    speed: float = 5.0

    def next_weight(self, weight: float, *, progress: float, rate: float | None) -> float:
        return self.weight * (1 - math.exp(-self.speed * progress))


@dataclass(frozen=True, kw_only=True, slots=True)
class Decaying:
    """weight * exp(-speed * progress): from the weight towards 0."""

    weight: float = 1.0
    speed: float = 5.0

    def next_weight(self, weight: float, *, progress: float, rate: float | None) -> float:
        return self.weight * math.exp(-self.speed * progress)


@dataclass(frozen=True, kw_only=True, slots=True)
class Targeted:
    """Dual ascent: clip(w + step * (target - rate), 0, maximum), so what falls short of its target weighs more."""

    weight: float = 1.0
    """At the start."""
    target: float = 0.9
    step: float = 0.1
    maximum: float = 4.0

    def next_weight(self, weight: float, *, progress: float, rate: float | None) -> float:
        if rate is None:
            return weight
        return min(self.maximum, max(0.0, weight + self.step * (self.target - rate)))


class RewardBalancer:
    """Holds the present weight of each reward; `weights` is all there is to save and to give back on resuming."""

    def __init__(self, schedules: Mapping[str, Fixed | Rising | Decaying | Targeted]) -> None:
        if not schedules:
            raise ValueError("a balance needs at least one reward")
        self.schedules = dict(schedules)
        self.weights = {name: _first_weight(schedule) for name, schedule in self.schedules.items()}

    def update(self, *, progress: float, rates: Mapping[str, float | None]) -> dict[str, float]:
        """The weights from now on.

        Args:
            progress: share of training done, 0 to 1.
            rates: mean of each reward over the last step; None where none applied.
        """
        if not 0 <= progress <= 1:
            raise ValueError(f"progress is a share of training between 0 and 1, got {progress}")
        unknown = sorted(set(rates) - set(self.schedules))
        if unknown:
            raise ValueError(f"unknown rewards {unknown}; this balance has {sorted(self.schedules)}")
        self.weights = {
            name: schedule.next_weight(self.weights[name], progress=progress, rate=rates.get(name))
            for name, schedule in self.schedules.items()
        }
        return dict(self.weights)


def _first_weight(schedule: Fixed | Rising | Decaying | Targeted) -> float:
    return schedule.next_weight(schedule.weight, progress=0.0, rate=None)


def group_advantages(scores: Sequence[float | None], *, group_size: int) -> list[float | None]:
    """Each score minus its group's mean, over its group's standard deviation; 0 in a group of equals."""
    if group_size < 1 or len(scores) % group_size:
        raise ValueError(f"{len(scores)} scores cannot be cut into groups of {group_size}")
    groups = [scores[at : at + group_size] for at in range(0, len(scores), group_size)]
    return [advantage for group in groups for advantage in _standardised(group)]


def _standardised(group: Sequence[float | None]) -> list[float | None]:
    known = [score for score in group if score is not None]
    mean = fmean(known) if known else 0.0
    spread = math.sqrt(fmean((score - mean) ** 2 for score in known)) if known else 0.0
    return [None if score is None else (score - mean) / spread if spread > 1e-9 else 0.0 for score in group]


def advantage_correlations(
    scores: Mapping[str, Sequence[float | None]], *, group_size: int
) -> dict[tuple[str, str], float]:
    """Pearson correlation of the advantages of each pair of rewards; negative = they pull against each other.

    Rows where either does not apply are left out, as are pairs where either never differs within a group.
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
