"""Answers for preference pairs: several per prompt, recorded by a run or sampled from a model."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from data.problems import Problem, user_text
from data.reasoning import ReasoningTags
from rl.common.device import visible_gpus
from rl.common.errors import UserError
from rl.config.load import load_run_config
from rl.datasets import load_problems, written_tags
from rl.models.answers import written_completion
from rl.models.tokenization import encode_problems
from rl.rollouts.local import Engine
from rl.rollouts.types import RolloutRequest
from rl.runs.jsonl import read_jsonl

Samples = tuple[Problem, list[str]]
"""A problem and several answers to it."""

ROWS_ON_GPU = 64
"""Answers sampled together on a GPU. On a CPU each prompt's are sampled alone: padding would change the last bits."""


def recorded_samples(run: Path) -> list[Samples]:
    """Return the answers that a run has recorded (the best and the worst of each group), by problem.

    Raises UserError when the run has recorded none, or its data no longer holds a problem.
    """
    records = read_jsonl(run / "rollouts.jsonl")
    if not records:
        raise UserError(f"{run} has no rollouts.jsonl with answers; expected the folder of a run that has trained")
    config = load_run_config(run)
    problems, tags = load_problems(config.data).train, written_tags(config.model)
    known = {(problem.problem_id, user_text(problem)): problem for problem in problems}
    answers: dict[tuple[str, str], list[str]] = {}
    for record in records:
        answers.setdefault((record["problem_id"], record["prompt"]), []).append(_written(record, tags))
    if unknown := sorted(name for name, _ in answers.keys() - known.keys()):
        raise UserError(f"{run / 'rollouts.jsonl'} has problems that the run's data does not hold: {unknown[:3]}")
    return [(known[problem], texts) for problem, texts in answers.items()]


def _written(record: dict[str, Any], tags: ReasoningTags | None) -> str:
    """Return a recorded completion with the tag that began its thought, which the prompt may have held."""
    text = record["completion"]
    opened = tags is not None and record.get("answer_start") and not text.lstrip().startswith(tags.start)
    return tags.start + text if tags is not None and opened else text


def samples_from_columns(problems: Sequence[Problem]) -> list[Samples]:
    """Return the answers in the column `completions` of each problem. Raises UserError for one without."""
    samples = []
    for problem in problems:
        texts = problem.extras.get("completions")
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise UserError(
                f"problem {problem.problem_id!r} has no list of texts in the column 'completions'; name a --model to "
                "sample some"
            )
        extras = {name: value for name, value in problem.extras.items() if name != "completions"}
        samples.append((replace(problem, extras=extras), texts))
    return samples


def sample_answers(
    engine: Engine, tokenizer: Any, problems: Sequence[Problem], *, samples: int, seed: int
) -> Iterator[Samples]:
    """Yield `samples` answers to each problem; they depend on the seed and the problem's position in the list.

    Those of a thinking model stand behind their thoughts, as they are trained on.
    """
    size = max(1, ROWS_ON_GPU // samples) if visible_gpus() else 1
    for first in range(0, len(problems), size):
        batch = problems[first : first + size]
        prompts = tuple(encode_problems(tokenizer, batch))
        request = RolloutRequest(position=first, prompts=prompts, num_generations=samples, version=0, seed=seed)
        texts = [written_completion(tokenizer, one.prompt_ids, one.completion_ids) for one in engine.sample(request)]
        for index, problem in enumerate(batch):
            yield problem, texts[index * samples : (index + 1) * samples]
