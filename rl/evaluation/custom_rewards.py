"""Custom rewards of held-out answers: the run's own reward functions, called as TRL calls them in training."""

import asyncio
import inspect
import math
import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from transformers import TrainerState

from data.problems import Problem, to_row
from rl.rollouts.types import Sample
from rl.scoring.reward_functions import RewardFunction

Scores = tuple[tuple[str, float | None], ...]
"""(name, value) of each custom reward of one answer; None where it gives no finite number."""


def score_answers(
    functions: Sequence[RewardFunction],
    problems: Sequence[Problem],
    samples: Sequence[Sample],
    texts: Sequence[str],
    thoughts: Mapping[str, list[Any]] | None = None,
    *,
    as_text: bool = False,
) -> list[Scores]:
    """Return the rewards of each answer, one problem, sample and text each; `as_text`: not as messages, as in TRL.

    `thoughts` are the columns of `rl.rollouts.thoughts`, where the answers have thoughts.

    Random numbers that a function draws are not missing from the training's. Raises UserError for a function that does
    not give one reward an answer.
    """
    if not functions:
        return [()] * len(texts)
    with _kept_random_states():
        given = _columns(problems, samples, texts, as_text=as_text) | dict(thoughts or {})
        values = [_rewards(function, given) for function in functions]
    names = [function.__name__ for function in functions]
    return [tuple(zip(names, row, strict=True)) for row in zip(*values, strict=True)]


def _columns(
    problems: Sequence[Problem], samples: Sequence[Sample], texts: Sequence[str], *, as_text: bool
) -> dict[str, Any]:
    rows = [to_row(problem) for problem in problems]
    columns = {key: [row.get(key) for row in rows] for key in dict.fromkeys(key for row in rows for key in row)}
    messages: Any = columns.pop("prompt")
    return {
        **columns,
        "prompts": [message[-1]["content"] for message in messages] if as_text else messages,
        "completions": list(texts) if as_text else [[{"role": "assistant", "content": text}] for text in texts],
        "completion_ids": [list(sample.completion_ids) for sample in samples],
        "finish_reason": [sample.finish_reason for sample in samples],
        "trainer_state": TrainerState(),
        "log_extra": _log_nothing,
        "log_metric": _log_nothing,
    }


def _rewards(function: RewardFunction, given: dict[str, Any]) -> list[float | None]:
    values: Any = function(**given)
    if inspect.isawaitable(values):
        values = asyncio.run(_result(values))
    return [None if value is None or not math.isfinite(value) else float(value) for value in values]


async def _result(values: Any) -> Any:
    return await values


def _log_nothing(*_: Any) -> None:
    """Take what a function logs in training; held-out answers have no table and no step."""


@contextmanager
def _kept_random_states() -> Iterator[None]:
    """Give back the random states of Python, NumPy and torch as the block found them."""
    python, numpy = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng(devices=[]):
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
