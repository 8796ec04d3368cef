"""Reward values: what a custom reward function returned, as one number or None for each completion."""

from collections.abc import Sequence
from numbers import Real
from typing import Any

from rl.common.errors import UserError


def reward_values(returned: Any, *, name: str, problem_ids: Sequence[object], step: int | None) -> list[float | None]:
    """Return the rewards, one for each of `problem_ids`; numbers of numpy and torch become Python's.

    Raises UserError, naming function, step and problem, for anything else.
    """
    values = returned.tolist() if callable(getattr(returned, "tolist", None)) else returned
    at = "" if step is None else f" in step {step}"
    expected = f"expected {len(problem_ids)}, one for each completion: a number, or None where it does not apply"
    if not isinstance(values, list | tuple):
        raise UserError(f"rewards.functions: {name} returned {_shown(returned)}{at}, no list of rewards; {expected}")
    if len(values) != len(problem_ids):
        raise UserError(f"rewards.functions: {name} returned {len(values)} rewards{at}; {expected}")
    plain = [value.item() if callable(getattr(value, "item", None)) else value for value in values]
    for value, problem in zip(plain, problem_ids, strict=True):
        if value is not None and not isinstance(value, Real):
            raise UserError(
                f"rewards.functions: {name} returned {_shown(value)} for problem {str(problem)!r}{at}; {expected}"
            )
    return [None if value is None else float(value) for value in plain]


def _shown(value: Any) -> str:
    return f"the {type(value).__name__} {value!r:.100}"
