"""The account: what became of a run's samples, how stale they were, and how its workers fared."""

from collections.abc import Sequence
from typing import Any

from rl.report.curves import series


def account(metrics: Sequence[dict[str, Any]]) -> str:
    """One line about the first rank, as of its last save; empty when nothing of it was logged."""
    figures = {name: [value for _, value in points] for name, points in series(metrics).items()}
    return " ".join([*_samples(figures), *_staleness(figures), *_workers(figures)])


def _samples(figures: dict[str, list[float]]) -> list[str]:
    if "ledger/dispatched" not in figures:
        return []
    last = {name: f"{figures[f'ledger/{name}'][-1]:,.0f}" for name in ("dispatched", "trained", "dropped", "pending")}
    return [
        f"Of the first rank's {last['dispatched']} samples {last['trained']} were trained, {last['dropped']} dropped, "
        f"{last['pending']} pending."
    ]


def _staleness(figures: dict[str, list[float]]) -> list[str]:
    if "sync/staleness_mean" not in figures:
        return []
    means = figures["sync/staleness_mean"]
    if not any(means):
        return ["None was stale."]
    return [f"They were {sum(means) / len(means):.2g} steps stale on average."]


def _workers(figures: dict[str, list[float]]) -> list[str]:
    # TRL logs means over steps, which say that something happened, but not how often.
    told = {"reissued_units": "Units were sampled again.", "restarted_workers": "Workers were started again."}
    return [sentence for name, sentence in told.items() if any(figures.get(f"sync/{name}", []))]
