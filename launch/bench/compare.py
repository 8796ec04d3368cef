"""Figures of a comparison of arms: last score, area, and the difference to one of them paired by seed."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from rl.common.errors import UserError
from rl.common.intervals import student_interval


@dataclass(frozen=True, kw_only=True, slots=True)
class BenchArm:
    """One training."""

    rule: str
    seed: int
    steps: list[int]
    """Of the held-out scores; the first is 0, before training."""
    scores: list[float]


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """One rule over all seeds; the last three are None for what it is compared with."""

    rule: str
    last: float
    area: float
    """Mean of the score over the training."""
    difference: float | None = None
    low: float | None = None
    high: float | None = None


def compare(arms: Sequence[BenchArm], rules: Sequence[str], *, base: str = "uniform") -> list[Comparison]:
    """Each rule against `base`. Raises UserError when a rule lacks a seed that `base` has."""
    of = {rule: {arm.seed: arm for arm in arms if arm.rule == rule} for rule in [base, *rules]}
    return [_comparison(rule, of[rule], of[base], base) for rule in rules]


def _comparison(rule: str, own: dict[int, BenchArm], base: dict[int, BenchArm], base_name: str) -> Comparison:
    if own.keys() != base.keys():
        raise UserError(f"{rule} has seeds {sorted(own)}, {base_name} has {sorted(base)}; a pair needs both")
    last = fmean(arm.scores[-1] for arm in own.values())
    area = fmean(area_under(arm) for arm in own.values())
    if rule == base_name:
        return Comparison(rule=rule, last=last, area=area)
    paired = student_interval([own[seed].scores[-1] - base[seed].scores[-1] for seed in own])
    return Comparison(rule=rule, last=last, area=area, difference=paired.mean, low=paired.low, high=paired.high)


def area_under(arm: BenchArm) -> float:
    """The curve's mean height, by trapezoids over the steps."""
    points = list(zip(arm.steps, arm.scores, strict=True))
    areas = [(end - start) * (low + high) / 2 for (start, low), (end, high) in itertools.pairwise(points)]
    return sum(areas) / (arm.steps[-1] - arm.steps[0])


def draw(arms: Sequence[BenchArm], rules: Sequence[str], path: Path) -> None:
    """Mean held-out score by step, a line a rule."""
    # Imported here: reading a finished comparison needs no plot.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    for rule in rules:
        own = [arm for arm in arms if arm.rule == rule]
        mean = [fmean(scores) for scores in zip(*(arm.scores for arm in own), strict=True)]
        axes.plot(own[0].steps, mean, label=rule, linewidth=2.5 if rule == "uniform" else 1.2)
    axes.set_xlabel("optimizer step")
    axes.set_ylabel("held-out score")
    axes.legend()
    figure.savefig(path, dpi=120)
