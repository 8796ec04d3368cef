"""`heed bench calibration`: how likely right answers are to a model with and without its sinks calibrated."""

from pathlib import Path
from typing import Any

from attention_probes.calibration import Calibration
from attention_probes.sink_calibrator import calibrated
from launch.probe.sinks import answered_texts, scores
from rl.common.intervals import bootstrap_interval
from rl.models.load import load_model, load_tokenizer

NEEDLE_SENTENCES = 48
"""Of the text that a needle is hidden in: short texts are too easy to tell anything."""
NEEDLE_SEED = 1
"""Not that of the tests by which `heed probe sinks` chooses."""


def bench_calibration(
    model: str, calibration: Path, *, data: Path | None = None, num_texts: int = 64
) -> list[dict[str, Any]]:
    """Return a row a measure: the mean score without and with, and the paired difference with its interval.

    The measures are the share of an answer's tokens that are the likeliest ones, and their mean log-prob. The answers
    are those of the first `num_texts` prompts of `data`, or of needle tests; the heads must have been chosen on others.
    `heed eval --calibration` has the benchmarks. Raises UserError for fewer than four prompts with an answer.
    """
    policy, chosen = load_model(model).requires_grad_(False), Calibration.load(calibration)
    texts = answered_texts(load_tokenizer(model), data, num_texts, NEEDLE_SEED, sentences=NEEDLE_SENTENCES)
    rows = []
    for measure in ("accuracy", "likelihood"):
        without = scores(policy, texts, measure).tolist()
        with calibrated(policy, chosen):
            rows.append(_row(measure, without, scores(policy, texts, measure).tolist()))
    return rows


def _row(measure: str, without: list[float], with_it: list[float]) -> dict[str, Any]:
    difference = bootstrap_interval([after - before for before, after in zip(without, with_it, strict=True)])
    return {
        "measure": measure,
        "texts": len(without),
        "without": round(sum(without) / len(without), 4),
        "with": round(sum(with_it) / len(with_it), 4),
        "difference": round(difference.mean, 4),
        "low": round(difference.low, 4),
        "high": round(difference.high, 4),
    }
