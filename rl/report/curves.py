"""Curves: every logged metric over the steps, thinned to what a screen can show."""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

MAX_POINTS = 300
MAX_COLUMNS = 48

NOT_CURVES = frozenset({"step", "epoch", "total_flos"})

HEADINGS = {
    "reward": "Reward",
    "rewards": "Reward",
    "frac_reward_zero_std": "Reward",
    "balance": "Reward",
    "guard": "Guards",
    "eval": "Held-out problems",
    "credit": "Credit",
    "probe": "Attention",
    "routing": "Routing",
    "completions": "Completions",
    "loss": "Optimisation",
    "grad_norm": "Optimisation",
    "learning_rate": "Optimisation",
    "kl": "Optimisation",
    "entropy": "Optimisation",
    "clip_ratio": "Optimisation",
    "logps": "Optimisation",
    "logits": "Optimisation",
    "mean_token_accuracy": "Optimisation",
    "sampling": "Rollouts and workers",
    "sync": "Rollouts and workers",
    "ledger": "Rollouts and workers",
    "rollout": "Rollouts and workers",
    "step_time": "Time",
    "num_tokens": "Time",
    "timing_s": "Time",
    "perf": "Time",
}
"""First part of a metric's name -> the heading it stands under, in the order shown; others come last."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Curve:
    """One metric over the steps; where steps or runs were merged, their mean and their range."""

    name: str
    steps: tuple[float, ...]
    values: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


def metric_series(metrics: Iterable[dict[str, Any]]) -> dict[str, list[tuple[int, float]]]:
    """Return each metric's (step, value) pairs, without text and without values that are not finite."""
    series: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for line in metrics:
        for name, value in line.items():
            # transformers logs the whole training's totals under train_, once, at its end.
            is_curve = name not in NOT_CURVES and not name.startswith("train_")
            if is_curve and isinstance(value, int | float) and math.isfinite(value):
                series[name].append((line["step"], float(value)))
    return dict(series)


def curves(metrics: Iterable[dict[str, Any]]) -> list[Curve]:
    """Return the curves to draw, without those of single constraints, which are shown as a table."""
    return [
        thin(name, points)
        for name, points in metric_series(metrics).items()
        if not name.startswith("constraint/") and points
    ]


def thin(name: str, points: Sequence[tuple[int, float]], *, limit: int = MAX_POINTS) -> Curve:
    """Merge the values of each step, one per run, and of neighbouring steps, until at most `limit` points are left."""
    by_step: dict[int, list[float]] = defaultdict(list)
    for step, value in points:
        by_step[step].append(value)
    size = math.ceil(len(by_step) / limit)
    steps = sorted(by_step)
    merged = [steps[first : first + size] for first in range(0, len(steps), size)]
    values = [[value for step in group for value in by_step[step]] for group in merged]
    return Curve(
        name=name,
        steps=tuple(sum(group) / len(group) for group in merged),
        values=tuple(sum(group) / len(group) for group in values),
        low=tuple(min(group) for group in values),
        high=tuple(max(group) for group in values),
    )


def heading(name: str) -> tuple[str, int]:
    """Return the heading that a metric stands under, and its position in the order of all metrics."""
    prefixes = [name.partition("/")[0], name.partition("_")[0]]
    known = [prefix for prefix in prefixes if prefix in HEADINGS]
    return (HEADINGS[known[0]], list(HEADINGS).index(known[0])) if known else ("Others", len(HEADINGS))


@dataclass(frozen=True, kw_only=True, slots=True)
class KindRow:
    """One metric of one kind of constraint, in equal parts of the training; None where the kind did not occur."""

    kind: str
    cells: tuple[float | None, ...]
    mean: float


def kind_tables(metrics: Sequence[dict[str, Any]]) -> dict[str, list[KindRow]]:
    """Return a table for each metric of constraints (such as `pass_rate`), a row per kind.

    The metrics are called `constraint/{kind}/{metric}`.
    """
    last = max((line["step"] for line in metrics), default=0)
    tables: dict[str, list[KindRow]] = defaultdict(list)
    for name, points in sorted(metric_series(metrics).items()):
        prefix, _, rest = name.partition("/")
        kind, _, metric = rest.rpartition("/")
        if prefix == "constraint" and kind and points:
            mean = sum(value for _, value in points) / len(points)
            tables[metric].append(KindRow(kind=kind, cells=_cells(points, last), mean=mean))
    return dict(tables)


def _cells(points: Sequence[tuple[int, float]], last: int) -> tuple[float | None, ...]:
    count = min(MAX_COLUMNS, last)
    cells: list[list[float]] = [[] for _ in range(count)]
    for step, value in points:
        cells[(max(step, 1) - 1) * count // last].append(value)
    return tuple(sum(cell) / len(cell) if cell else None for cell in cells)
