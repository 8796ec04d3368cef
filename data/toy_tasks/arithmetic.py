"""Chains: the larger or the smaller of two digits, step by step, a task that a model of a million parameters learns."""

from collections.abc import Sequence
from random import Random

from data.problems import Problem

LENGTHS = (4, 8)
"""Fewest and most operations of a chain."""
SIGNS = "0123456789^v=;#"
"""Every character of a prompt or a solution."""


def chain_problem(seed: int, index: int) -> Problem:
    """Chain number `index`, decided by the two numbers alone; its reference is the last digit.

    Example:
        chain_problem(0, 3)    # 7^5v3= with the solution 7;3;#3
    """
    rng = Random(f"chain-{seed}-{index}")
    count = rng.randint(*LENGTHS)
    terms = [rng.choice("^v") + str(rng.randint(0, 9)) for _ in range(count)]
    prompt = f"{rng.randint(0, 9)}{''.join(terms)}="
    return Problem(
        problem_id=f"chain-{seed}-{index}",
        messages=({"role": "user", "content": prompt},),
        reference=running_values(prompt)[-1],
        task="arithmetic_chain",
    )


def running_values(prompt: str) -> list[str]:
    """The value after each operation: `^` takes the larger of two digits, `v` the smaller."""
    value = int(prompt[0])
    values = []
    for sign, digit in zip(prompt[1:-1:2], prompt[2:-1:2], strict=True):
        value = max(value, int(digit)) if sign == "^" else min(value, int(digit))
        values.append(str(value))
    return values


def solution(prompt: str) -> str:
    """The chain worked out: each value and then, after `#`, the last one as the answer."""
    values = running_values(prompt)
    return "".join(f"{value};" for value in values) + f"#{values[-1]}"


def answers(completion: str, reference: str) -> bool:
    """Whether what follows the last `#` is the reference."""
    return completion.rpartition("#")[2].strip() == reference and "#" in completion


def exact_answer(completions: Sequence, reference: Sequence[str], **columns: object) -> list[float]:
    """A reward with TRL's signature: 1 for the right answer, however it was come by."""
    texts = [text if isinstance(text, str) else text[-1]["content"] for text in completions]
    return [float(answers(text, expected)) for text, expected in zip(texts, reference, strict=True)]
