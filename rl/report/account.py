"""The account: what became of a run's samples, how stale they were, and how its workers fared."""

from collections.abc import Sequence
from typing import Any

from rl.report.curves import series


def account(metrics: Sequence[dict[str, Any]]) -> str:
    """One line of sentences; empty when nothing of it was logged."""
    figures = {name: [value for _, value in points] for name, points in series(metrics).items()}
    return " ".join([*_samples(figures), *_staleness(figures), *_workers(figures)])


def _samples(figures: dict[str, list[float]]) -> list[str]:
    if "ledger/dispatched" not in figures:
        return []
    last = {name: f"{figures[f'ledger/{name}'][-1]:,.0f}" for name in ("dispatched", "trained", "dropped", "pending")}
    return [
        f"Of {last['dispatched']} samples {last['trained']} were trained, {last['dropped']} dropped, "
        f"{last['pending']} pending."
    ]


def _staleness(figures: dict[str, list[float]]) -> list[str]:
    if "sync/staleness_mean" not in figures:
        return []
    means = figures["sync/staleness_mean"]
    highest = max(figures["sync/staleness_max"])
    if not highest:
        return ["None was stale."]
    return [f"They were {sum(means) / len(means):.2g} steps stale on average, {highest:.0f} at most."]


def _workers(figures: dict[str, list[float]]) -> list[str]:
    lost = [(name, sum(figures.get(f"sync/{name}", []))) for name in ("reissued_units", "restarted_workers")]
    return [f"{count:.0f} {name.replace('_', ' ')}." for name, count in lost if count]
