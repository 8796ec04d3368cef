"""Run summary: steps, time, held-out results before and after training, and the gain."""

from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import Any

from rl.evaluation.evaluate import Evaluation, Gain, paired_gain
from rl.runs.jsonl import read_jsonl


def run_summary(folder: Path, steps: int, before: Evaluation | None, after: Evaluation | None) -> dict[str, Any]:
    """Return what `summary.json` holds."""
    summary: dict[str, Any] = {"steps": steps, "train_seconds": train_seconds(folder)}
    if before is not None and after is not None:
        summary |= comparison(before, after, paired_gain(before, after))
    return summary


def comparison(before: Evaluation, after: Evaluation, gain: Gain | None) -> dict[str, Any]:
    """Return both evaluations and the gain, which is missing when no constraint applied in both."""
    summary = {"before": before.summary(), "after": after.summary()}
    return summary if gain is None else summary | {"gain": asdict(gain)}


def train_seconds(folder: Path) -> float:
    """Return the seconds spent in optimizer steps and their rollouts, those before an interruption included."""
    lines = read_jsonl(folder / "metrics.jsonl")
    timed = [(line["step"], line["step_time"]) for line in lines if "step_time" in line]
    # A line has the mean of the steps since the one before.
    steps = sum((step - before) * mean for (before, _), (step, mean) in pairwise([(0, 0.0), *timed]))
    # DPO logs no time a step, only that of the whole training.
    return round(steps or sum(line.get("train_runtime", 0.0) for line in lines), 1)
