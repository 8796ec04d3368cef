"""Comparison of arms: final score, mean score over training, and the difference to a baseline paired by seed."""

import itertools
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

from rich.console import Console
from rich.table import Table

from rl.common.atomic import write_json
from rl.common.errors import UserError
from rl.common.intervals import student_interval


@dataclass(frozen=True, kw_only=True, slots=True)
class BenchArm:
    """The held-out curve of one training.

    Example:
        BenchArm(name="coupled", seed=0, steps=[0, 12, 24], scores=[0.45, 0.51, 0.6])
    """

    name: str
    seed: int
    steps: list[int]
    """Optimizer steps at which the policy was evaluated; the first is 0, before training."""
    scores: list[float]
    perfect: list[float] = field(default_factory=list)
    """Share of the answers with the highest score, at the same steps."""
    cpu_seconds: float | None = None
    details: dict[str, float] = field(default_factory=dict)
    """Further numbers of the last policy by name, where the task has any."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """One arm's name over all its seeds; the last three fields are None for the baseline itself."""

    name: str
    last: float
    area: float
    """Mean of the score over the training."""
    difference: float | None = None
    low: float | None = None
    high: float | None = None


def compare(arms: Sequence[BenchArm], names: Sequence[str]) -> list[Comparison]:
    """Compare each name with the first, the baseline. Raises UserError when one lacks a seed that the other has."""
    by_seed = {name: {arm.seed: arm for arm in arms if arm.name == name} for name in names}
    return [_comparison(name, by_seed[name], names[0], by_seed[names[0]]) for name in names]


def _comparison(name: str, arms: dict[int, BenchArm], baseline: str, baseline_arms: dict[int, BenchArm]) -> Comparison:
    if arms.keys() != baseline_arms.keys():
        raise UserError(f"{name} has seeds {sorted(arms)}, {baseline} has {sorted(baseline_arms)}; a pair needs both")
    last = fmean(arm.scores[-1] for arm in arms.values())
    area = fmean(area_under(arm) for arm in arms.values())
    if name == baseline:
        return Comparison(name=name, last=last, area=area)
    paired = student_interval([arms[seed].scores[-1] - baseline_arms[seed].scores[-1] for seed in arms])
    return Comparison(name=name, last=last, area=area, difference=paired.mean, low=paired.low, high=paired.high)


def area_under(arm: BenchArm) -> float:
    """Return the curve's mean height, by trapezoids over the steps."""
    points = list(zip(arm.steps, arm.scores, strict=True))
    areas = [(end - start) * (low + high) / 2 for (start, low), (end, high) in itertools.pairwise(points)]
    return sum(areas) / (arm.steps[-1] - arm.steps[0])


def comparison_table(comparisons: Sequence[Comparison], *, baseline: str, seeds: int) -> Table:
    """Return a table with a row per name."""
    table = Table(title=f"Held-out score, mean of {seeds} seeds, last checkpoint", title_justify="left")
    for column in ("arm", "last", "mean over training", f"last - {baseline}", "95 % interval, paired by seed"):
        table.add_column(column, justify="left" if column == "arm" else "right")
    for row in comparisons:
        interval = "" if row.low is None else f"[{row.low:+.3f}, {row.high:+.3f}]"
        difference = "" if row.difference is None else f"{row.difference:+.3f}"
        table.add_row(row.name, f"{row.last:.3f}", f"{row.area:.3f}", difference, interval)
    return table


def report_arms(
    arms: Sequence[BenchArm], names: Sequence[str], output: Path, extra: dict[str, Any], console: Console
) -> dict[str, Any]:
    """Compare all names with the first; write `output`.json and `output`.png, print a table."""
    comparisons = compare(arms, names)
    result = {
        **extra,
        "arms": [asdict(arm) for arm in arms],
        "comparisons": [asdict(comparison) for comparison in comparisons],
    }
    write_json(output.with_suffix(".json"), result)
    plot_curves(arms, names, output.with_suffix(".png"))
    console.print(comparison_table(comparisons, baseline=names[0], seeds=len({arm.seed for arm in arms})))
    return result


def plot_curves(arms: Sequence[BenchArm], names: Sequence[str], path: Path) -> None:
    """Plot the mean held-out score by step, a line per name, the first one bold."""
    # Imported here: reading a finished comparison needs no plot.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    for name in names:
        seeds = [arm for arm in arms if arm.name == name]
        mean = [fmean(scores) for scores in zip(*(arm.scores for arm in seeds), strict=True)]
        axes.plot(seeds[0].steps, mean, label=name, linewidth=2.5 if name == names[0] else 1.2)
    axes.set_xlabel("optimizer step")
    axes.set_ylabel("held-out score")
    axes.legend()
    figure.savefig(path, dpi=120)
