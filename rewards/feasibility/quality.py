"""Quality: how near a feasible solution comes to its reference, as a TRL reward function beside the rules' own reward.

With `rewards.satisfaction_weight: 0.5` both together are a reward from 0 to 1: half the share of rules kept, and, once
all of them are, half of 1 less the gap. So no infeasible answer earns as much as a feasible one.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from rewards.feasibility.findings import PREFIX, feasible_solution
from rewards.feasibility.instance import Instance
from rewards.feasibility.problems import from_json
from rewards.feasibility.texts import TextKind
from rewards.trl import Text, text_of

WEIGHT = 0.5
"""The largest quality; the rules have the other half."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What one answer is worth.

    Example:
        Outcome(problem="tsp", objective=96, gap=0.04)
    """

    problem: str
    objective: int | None
    """None if the answer is infeasible."""
    gap: float | None
    """Share by which it is worse than the reference, negative if better; None if infeasible or without a reference."""

    @property
    def is_feasible(self) -> bool:
        return self.objective is not None

    @property
    def quality(self) -> float:
        """Return 1 less the gap, kept between 0 and 1; 0 if infeasible, 1 if feasible without a reference."""
        return float(self.is_feasible) if self.gap is None else min(1.0, max(0.0, 1.0 - self.gap))


def outcome(
    instance: Instance,
    text: str,
    kind: TextKind,
    *,
    reference: int | float | None = None,
    scale: int | float | None = None,
) -> Outcome:
    """Return the outcome of an answer; the gap to the reference is measured by the scale, the reference's own size."""
    answer = feasible_solution(instance, text, kind)
    if answer is None:
        return Outcome(problem=instance.problem, objective=None, gap=None)
    objective = instance.objective(answer.solution)
    if reference is None:
        return Outcome(problem=instance.problem, objective=objective, gap=None)
    gap = instance.sign * (objective - reference) / (scale or max(1.0, abs(reference)))
    return Outcome(problem=instance.problem, objective=objective, gap=gap)


def outcome_of_row(
    completion: str, constraints: Sequence[Mapping[str, Any]], reference: str | None, scale: int | float | None
) -> Outcome | None:
    """Return the outcome of an answer to a dataset row; None where the row has no rule of feasibility."""
    found = next((item["kwargs"] for item in constraints if item["id"].startswith(PREFIX)), None)
    if found is None:
        return None
    kwargs = json.loads(found) if isinstance(found, str) else found
    number = None if reference is None else float(reference)
    return outcome(from_json(kwargs["instance"]), completion, kwargs["text"], reference=number, scale=scale)


def solution_quality(
    completions: Sequence[Text],
    constraints: Sequence[Sequence[Mapping[str, Any]]],
    log_metric: Callable[[str, float], None],
    **columns: Any,
) -> list[float | None]:
    """Return the quality of each answer times `WEIGHT`; a reward function with TRL's signature.

    A truncated answer has none. Logs `solution/{problem}/feasible`, `objective` and `gap`, the last two of feasible
    answers alone.
    """
    empty = [None] * len(completions)
    references, scales = columns.get("reference") or empty, columns.get("scale") or empty
    reasons = columns.get("finish_reason") or empty
    rows = zip(completions, constraints, references, scales, reasons, strict=True)
    outcomes = [
        outcome_of_row("" if reason == "length" else text_of(completion), rules, reference, scale)
        for completion, rules, reference, scale, reason in rows
    ]
    for name, value in metrics([found for found in outcomes if found is not None]).items():
        log_metric(f"solution/{name}", value)
    return [None if found is None else WEIGHT * found.quality for found in outcomes]


def metrics(outcomes: Sequence[Outcome]) -> dict[str, float]:
    """Return the means `{problem}/feasible`, `{problem}/objective` and `{problem}/gap`."""
    values: dict[str, list[float]] = defaultdict(list)
    for found in outcomes:
        values[f"{found.problem}/feasible"].append(float(found.is_feasible))
        if found.objective is not None:
            values[f"{found.problem}/objective"].append(found.objective)
        if found.gap is not None:
            values[f"{found.problem}/gap"].append(found.gap)
    return {name: fmean(numbers) for name, numbers in values.items()}
