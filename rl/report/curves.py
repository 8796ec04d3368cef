"""Curves: every logged figure over the steps, thinned to what a screen can show."""

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
    "guard": "Guards",
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
    "sampling": "Rollouts and workers",
    "sync": "Rollouts and workers",
    "ledger": "Rollouts and workers",
    "rollout": "Rollouts and workers",
    "step_time": "Time",
    "num_tokens": "Time",
    "timing_s": "Time",
    "perf": "Time",
}
"""First part of a figure's name -> the heading it stands under, in the order shown; others come last."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Curve:
    """One figure over the steps; where steps or runs were merged, their mean and their range."""

    name: str
    steps: tuple[float, ...]
    values: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


def series(metrics: Iterable[dict[str, Any]]) -> dict[str, list[tuple[int, float]]]:
    """Figure -> its (step, value) pairs, values that are not finite left out."""
    found: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for line in metrics:
        for name, value in line.items():
            # transformers logs the whole training's totals under train_, once, at its end.
            is_figure = name not in NOT_CURVES and not name.startswith("train_")
            if is_figure and isinstance(value, int | float) and math.isfinite(value):
                found[name].append((line["step"], float(value)))
    return dict(found)


def curves(metrics: Iterable[dict[str, Any]]) -> list[Curve]:
    """The figures to draw, without the constraints' own, which are a table."""
    return [
        thin(name, points) for name, points in series(metrics).items() if not name.startswith("constraint/") and points
    ]


def thin(name: str, points: Sequence[tuple[int, float]], *, limit: int = MAX_POINTS) -> Curve:
    """At most `limit` points: a step's values, one a run, and neighbours are merged into their mean and range."""
    by_step: dict[int, list[float]] = defaultdict(list)
    for step, value in points:
        by_step[step].append(value)
    size = math.ceil(len(by_step) / limit)
    steps = sorted(by_step)
    merged = [steps[first : first + size] for first in range(0, len(steps), size)]
    values = [[value for step in some for value in by_step[step]] for some in merged]
    return Curve(
        name=name,
        steps=tuple(sum(some) / len(some) for some in merged),
        values=tuple(sum(some) / len(some) for some in values),
        low=tuple(min(some) for some in values),
        high=tuple(max(some) for some in values),
    )


def heading(name: str) -> tuple[str, int]:
    """The heading a figure stands under, and the figure's place in the order of all."""
    parts = [part for part in (name.partition("/")[0], name.partition("_")[0]) if part in HEADINGS]
    return (HEADINGS[parts[0]], list(HEADINGS).index(parts[0])) if parts else ("Others", len(HEADINGS))


@dataclass(frozen=True, kw_only=True, slots=True)
class KindRow:
    """One figure of one kind of constraint, in equal stretches of the training; None where the kind did not occur."""

    kind: str
    cells: tuple[float | None, ...]
    mean: float


def kind_tables(metrics: Sequence[dict[str, Any]]) -> dict[str, list[KindRow]]:
    """Figure (such as `pass_rate`) -> one row for each kind, from `constraint/{kind}/{figure}`."""
    last = max((line["step"] for line in metrics), default=0)
    tables: dict[str, list[KindRow]] = defaultdict(list)
    for name, points in sorted(series(metrics).items()):
        prefix, _, rest = name.partition("/")
        kind, _, figure = rest.rpartition("/")
        if prefix == "constraint" and kind and points:
            mean = sum(value for _, value in points) / len(points)
            tables[figure].append(KindRow(kind=kind, cells=_stretches(points, last), mean=mean))
    return dict(tables)


def _stretches(points: Sequence[tuple[int, float]], last: int) -> tuple[float | None, ...]:
    count = min(MAX_COLUMNS, last)
    cells: list[list[float]] = [[] for _ in range(count)]
    for step, value in points:
        cells[(max(step, 1) - 1) * count // last].append(value)
    return tuple(sum(cell) / len(cell) if cell else None for cell in cells)
