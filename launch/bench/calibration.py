"""`heed bench calibration`: what a model answers with and without its sinks calibrated, item by item."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track

from attention_probes.calibration import Calibration
from attention_probes.sink_calibrator import calibrated
from data.benchmarks.judging import last_number
from data.problems import from_row
from data.reading import read_problems
from data.sources import read_rows
from launch.data.load_engine import load_engine
from launch.probe.sinks import answered_texts, scores
from rewards.verifiers import verifying
from rl.common.errors import UserError
from rl.common.intervals import bootstrap_interval
from rl.evaluation.evaluate import evaluate
from rl.models.answers import answer_text
from rl.models.tokenization import encode_problems
from rl.rollouts.engine_hf import TransformersEngine
from rl.rollouts.generation import GenerationConfig
from rl.rollouts.types import RolloutRequest

NEEDLE_SENTENCES = 48
"""Of the text that a needle is hidden in: short texts are too easy to tell anything."""
NEEDLE_SEED = 1
"""Not that of the tests by which `heed probe sinks` chooses."""


def bench_calibration(
    model: str,
    calibration: Path,
    *,
    ifeval: Path | None = None,
    gsm8k: Path | None = None,
    needles: int = 64,
    limit: int | None = None,
    max_tokens: int = 256,
    batch_size: int = 16,
) -> list[dict[str, Any]]:
    """Return a row a benchmark: the mean score without and with, and the paired difference with its interval.

    `ifeval` has prompts with constraints, each scored by the share that it satisfies; `gsm8k` questions, scored by the
    last number of the answer. Answers are greedy. The heads must have been chosen on other texts.
    """
    engine = load_engine(model, GenerationConfig(temperature=0.0, max_completion_length=max_tokens))
    chosen = Calibration.load(calibration)
    benchmarks: dict[str, Callable[[], dict[str, float]]] = {}
    if needles:
        for measure in ("accuracy", "likelihood"):
            benchmarks[f"needles, {measure}"] = partial(_needles, engine, needles, measure)
    if ifeval is not None:
        benchmarks["ifeval"] = partial(_constraints, engine, ifeval, limit, batch_size)
    if gsm8k is not None:
        benchmarks["gsm8k"] = partial(_arithmetic, engine, gsm8k, limit, batch_size)
    rows = []
    for name, answer in track(benchmarks.items(), "benchmarks", console=Console(stderr=True), transient=True):
        without = answer()
        with calibrated(engine.model, chosen):
            with_it = answer()
        rows.append(_row(name, without, with_it))
    return rows


def _row(name: str, without: dict[str, float], with_it: dict[str, float]) -> dict[str, Any]:
    items = without.keys() & with_it.keys()
    if not items:
        raise UserError(f"{name}: there is no item to score")
    differences = bootstrap_interval([with_it[item] - without[item] for item in sorted(items)])
    return {
        "benchmark": name,
        "items": len(items),
        "without": round(sum(without[item] for item in items) / len(items), 4),
        "with": round(sum(with_it[item] for item in items) / len(items), 4),
        "difference": round(differences.mean, 4),
        "low": round(differences.low, 4),
        "high": round(differences.high, 4),
    }


def _needles(engine: TransformersEngine, count: int, measure: str) -> dict[str, float]:
    """Return the share of each needle's tokens that are the likeliest ones, or their mean log-prob."""
    texts = answered_texts(engine.tokenizer, None, count, NEEDLE_SEED, sentences=NEEDLE_SENTENCES)
    values = scores(engine.model.requires_grad_(False), texts, measure)
    return {str(index): value for index, value in enumerate(values.tolist())}


def _constraints(engine: TransformersEngine, path: Path, limit: int | None, batch_size: int) -> dict[str, float]:
    with verifying("eval"):
        problems = tuple(read_problems(path))[:limit]
        evaluation = evaluate(engine, engine.tokenizer, problems, samples=1, batch_size=batch_size, seed=0)
    return evaluation.problem_rates()


def _arithmetic(engine: TransformersEngine, path: Path, limit: int | None, batch_size: int) -> dict[str, float]:
    rows: list[Any] = [row for _, row in read_rows(path)][:limit]
    right = {}
    for start in range(0, len(rows), batch_size):
        batch = rows[start : start + batch_size]
        for index, (row, text) in enumerate(zip(batch, _answers(engine, batch, start), strict=True), start):
            right[str(index)] = float(last_number(text) == last_number(row["answer"]))
    return right


def _answers(engine: TransformersEngine, rows: Sequence[dict[str, Any]], position: int) -> list[str]:
    problems = [from_row({"prompt": row["question"]}) for row in rows]
    prompts = tuple(encode_problems(engine.tokenizer, problems))
    request = RolloutRequest(position=position, prompts=prompts, num_generations=1, version=0, seed=0)
    return [answer_text(engine.tokenizer, one.prompt_ids, one.completion_ids) for one in engine.sample(request)]
