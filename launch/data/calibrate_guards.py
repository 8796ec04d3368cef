"""`heed data calibrate-guards`: bounds of the guard `fluent` for a model, from honest answers."""

from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from rich.console import Console

from data.dataset_summary import ANSWER_COLUMNS, answer_of
from data.reading import read_problems
from rl.common.errors import UserError
from rl.models.load import load_model, load_tokenizer, resolve_dtype
from rl.models.logprobs import completion_logprobs

MIN_ANSWERS = 20
"""Fewer answers say too little about the least likely of them."""
LEAST_LIKELY = 0.02
"""Share of honest answers from which the guard may take something."""


def calibrate_guards_command(model: str, file: Path) -> dict[str, Any]:
    """Score a file's honest answers and the same with their words shuffled, and print `rewards.fluency`.

    Raises UserError for too few answers, and for a model that finds shuffled words as likely as the answers.
    """
    answered = [(problem, answer) for problem in read_problems(file) if (answer := answer_of(problem))]
    if len(answered) < MIN_ANSWERS:
        raise UserError(
            f"{file} has {len(answered)} prompts with an answer in the column {' or '.join(ANSWER_COLUMNS)}; "
            f"{MIN_ANSWERS} are needed"
        )
    problems, answers = zip(*answered, strict=True)
    policy, tokenizer = load_model(model, dtype=resolve_dtype("auto")), load_tokenizer(model)
    honest = completion_logprobs(policy, tokenizer, problems, answers)
    shuffled = completion_logprobs(policy, tokenizer, problems, shuffled_words(answers))
    ordinary, hopeless = fluency_bounds(honest, shuffled)
    if hopeless >= ordinary:
        raise UserError(
            f"{model} finds the median answer with shuffled words ({hopeless} nats a token) as likely as the least "
            f"likely honest answers ({ordinary}): the guard fluent could not tell them apart; use a larger model, or "
            "longer answers"
        )
    Console().print(
        f"{len(answered)} answers: median {np.median(honest):.2f} nats a token; with shuffled words "
        f"{np.median(shuffled):.2f}\nrewards.fluency=[{ordinary},{hopeless}]"
    )
    return {"model": model, "file": str(file), "num_answers": len(answered), "fluency": [ordinary, hopeless]}


def fluency_bounds(honest: Sequence[float], shuffled: Sequence[float]) -> tuple[float, float]:
    """Return the value that all but 2 percent of the honest answers exceed, and the median of the shuffled ones."""
    return round(float(np.quantile(honest, LEAST_LIKELY)), 2), round(float(np.median(shuffled)), 2)


def shuffled_words(texts: Sequence[str]) -> list[str]:
    """Return the texts with their words in another order, the same in every call."""
    rng = Random(0)
    return [" ".join(rng.sample(words := text.split(), len(words))) for text in texts]
