"""Rollout summary: what became of a run's samples, how stale they were, and whether workers failed."""

from collections.abc import Sequence
from typing import Any

from rl.report.curves import metric_series


def rollout_summary(metrics: Sequence[dict[str, Any]]) -> str:
    """Return one line about the first rank's samples up to its last save; empty when nothing of them was logged."""
    values = {name: [value for _, value in points] for name, points in metric_series(metrics).items()}
    return " ".join([*_samples(values), *_staleness(values), *_workers(values)])


def _samples(values: dict[str, list[float]]) -> list[str]:
    if "ledger/dispatched" not in values:
        return []
    last = {name: f"{values[f'ledger/{name}'][-1]:,.0f}" for name in ("dispatched", "trained", "dropped", "pending")}
    return [
        f"Of the first rank's {last['dispatched']} samples {last['trained']} were trained, {last['dropped']} dropped, "
        f"{last['pending']} pending."
    ]


def _staleness(values: dict[str, list[float]]) -> list[str]:
    if "sync/staleness_mean" not in values:
        return []
    means = values["sync/staleness_mean"]
    if not any(means):
        return ["None was stale."]
    return [f"They were {sum(means) / len(means):.2g} steps stale on average."]


def _workers(values: dict[str, list[float]]) -> list[str]:
    # TRL logs means over steps, which say that something happened, but not how often.
    sentences = {"reissued_units": "Requests were sampled again.", "restarted_workers": "Workers were started again."}
    return [sentence for name, sentence in sentences.items() if any(values.get(f"sync/{name}", []))]
