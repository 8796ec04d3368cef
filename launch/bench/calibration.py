"""`heed bench calibration`: how well a model finds needles with and without its sinks calibrated, test by test."""

from pathlib import Path
from typing import Any

from attention_probes.calibration import Calibration
from attention_probes.sink_calibrator import calibrated
from launch.data.load_engine import load_engine
from launch.probe.sinks import answered_texts, scores
from rl.common.intervals import bootstrap_interval
from rl.rollouts.engine_hf import TransformersEngine
from rl.rollouts.generation import GenerationConfig

NEEDLE_SENTENCES = 48
"""Of the text that a needle is hidden in: short texts are too easy to tell anything."""
NEEDLE_SEED = 1
"""Not that of the tests by which `heed probe sinks` chooses."""


def bench_calibration(model: str, calibration: Path, *, needles: int = 64) -> list[dict[str, Any]]:
    """Return a row a measure: the mean score without and with, and the paired difference with its interval.

    The heads must have been chosen on other texts. `heed eval --calibration` has the benchmarks.
    """
    engine = load_engine(model, GenerationConfig(temperature=0.0, max_completion_length=1))
    chosen = Calibration.load(calibration)
    rows = []
    for measure in ("accuracy", "likelihood"):
        without = _needles(engine, needles, measure)
        with calibrated(engine.model, chosen):
            with_it = _needles(engine, needles, measure)
        rows.append(_row(measure, without, with_it))
    return rows


def _row(measure: str, without: list[float], with_it: list[float]) -> dict[str, Any]:
    difference = bootstrap_interval([after - before for before, after in zip(without, with_it, strict=True)])
    return {
        "measure": measure,
        "needles": len(without),
        "without": round(sum(without) / len(without), 4),
        "with": round(sum(with_it) / len(with_it), 4),
        "difference": round(difference.mean, 4),
        "low": round(difference.low, 4),
        "high": round(difference.high, 4),
    }


def _needles(engine: TransformersEngine, count: int, measure: str) -> list[float]:
    """Return the share of each needle's tokens that are the likeliest ones, or their mean log-prob."""
    texts = answered_texts(engine.tokenizer, None, count, NEEDLE_SEED, sentences=NEEDLE_SENTENCES)
    return scores(engine.model.requires_grad_(False), texts, measure).tolist()
