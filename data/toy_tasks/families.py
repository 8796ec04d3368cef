"""Families: four rules for the answers to chains that pull apart, each told by the mark before its prompt."""

from collections.abc import Sequence
from dataclasses import replace

from data.problems import Problem, user_text
from data.toy_tasks.arithmetic import chain_problem

MARKS = {"low": "v", "high": "=", "short": ";", "long": "#"}
"""Family -> the sign that its prompts begin with; no chain begins with one."""
FEW, MANY = 8, 12
"""Digits from which an answer is not short at all, and with which it is as long as it can be."""


def family_problem(seed: int, index: int) -> Problem:
    """Chain number `index` of the families in turn.

    Example:
        family_problem(0, 2)    # ;7^5v3= of the family short
    """
    family = list(MARKS)[index % len(MARKS)]
    chain = chain_problem(seed, index)
    message = {"role": "user", "content": MARKS[family] + user_text(chain)}
    return replace(chain, problem_id=f"{family}-{seed}-{index}", messages=(message,), task=family)


def kept(completion: str, family: str) -> float:
    """How well an answer keeps its family's rule, from 0 to 1; an answer without a digit does not at all."""
    digits = [int(sign) for sign in completion if sign.isdecimal()]
    if not digits:
        return 0.0
    if family == "short":
        return max(0.0, 1 - (len(digits) - 1) / (FEW - 1))
    if family == "long":
        return min(len(digits), MANY) / MANY
    return sum((digit <= 4) == (family == "low") for digit in digits) / len(digits)


def family_reward(completions: Sequence, task: Sequence[str], **columns: object) -> list[float]:
    """A reward with TRL's signature."""
    texts = [text if isinstance(text, str) else text[-1]["content"] for text in completions]
    return [kept(text, family) for text, family in zip(texts, task, strict=True)]
