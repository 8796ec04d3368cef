"""Arithmetic chains: the larger or the smaller of two digits, step by step."""

from random import Random

from data.problems import Problem
from rewards.trl import batch_reward

LENGTHS = (4, 8)
"""Smallest and largest number of operations of a chain."""
SIGNS = "0123456789^v=;#"
"""Every character of a prompt or a solution."""


def chain_problem(seed: int, index: int) -> Problem:
    """Return chain `index` of the stream `seed`; its reference is the last digit.

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
    """Return the value after each operation: `^` takes the larger of two digits, `v` the smaller."""
    value = int(prompt[0])
    values = []
    for sign, digit in zip(prompt[1:-1:2], prompt[2:-1:2], strict=True):
        value = max(value, int(digit)) if sign == "^" else min(value, int(digit))
        values.append(str(value))
    return values


def solution(prompt: str) -> str:
    """Return the worked solution: each value and then, after `#`, the last one as the answer."""
    values = running_values(prompt)
    return "".join(f"{value};" for value in values) + f"#{values[-1]}"


def is_correct(completion: str, reference: str) -> bool:
    """Return whether the text after the last `#` is the reference."""
    return completion.rpartition("#")[2].strip() == reference and "#" in completion


@batch_reward
def exact_answer(completion: str, reference: str) -> float:
    """Return 1 for the right answer, whatever comes before it; a reward function with TRL's signature."""
    return float(is_correct(completion, reference))
