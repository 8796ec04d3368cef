"""Chain families: four conflicting rules for the answers to chains, each marked by the first sign of its prompts."""

from dataclasses import replace

from data.problems import Problem, user_text
from data.toy_tasks.arithmetic import chain_problem
from rewards.trl import batch_reward

MARKS = {"low": "v", "high": "=", "short": ";", "long": "#"}
"""Family -> the sign that its prompts begin with; no chain begins with one."""
SHORT_LENGTH, LONG_LENGTH = 8, 12
"""Number of digits at which an answer scores 0 for the family `short`, and 1 for the family `long`."""


def family_problem(seed: int, index: int) -> Problem:
    """Return chain `index`, given to the families in turn.

    Example:
        family_problem(0, 2)    # ;7^5v3= of the family short
    """
    family = list(MARKS)[index % len(MARKS)]
    chain = chain_problem(seed, index)
    message = {"role": "user", "content": MARKS[family] + user_text(chain)}
    return replace(chain, problem_id=f"{family}-{seed}-{index}", messages=(message,), task=family)


def rule_score(completion: str, family: str) -> float:
    """Return how well an answer follows its family's rule, from 0 to 1; an answer without a digit scores 0."""
    digits = [int(sign) for sign in completion if sign.isdecimal()]
    if not digits:
        return 0.0
    if family == "short":
        return max(0.0, 1 - (len(digits) - 1) / (SHORT_LENGTH - 1))
    if family == "long":
        return min(len(digits), LONG_LENGTH) / LONG_LENGTH
    return sum((digit <= 4) == (family == "low") for digit in digits) / len(digits)


@batch_reward
def family_reward(completion: str, task: str) -> float:
    """Return the score of the rule of the row's family; a reward function with TRL's signature."""
    return rule_score(completion, task)
