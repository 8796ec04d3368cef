"""Rows: instances as problems to train on, with a reference solution beside them."""

from collections.abc import Mapping
from dataclasses import replace
from random import Random
from typing import Any

from data.combinatorial.prompts import compact_text, prompt_text
from data.combinatorial.reference import Reference
from data.problems import Problem, to_row
from rewards.errors import InputError
from rewards.feasibility.instance import Instance
from rewards.feasibility.problems import PROBLEMS
from rewards.feasibility.quality import Outcome, outcome_of_row
from rewards.feasibility.texts import TextKind, write

MIN_SIZE = 2


def draw_instance(problem: str, seed: int, index: int, size: int) -> Instance:
    """Return instance `index` of the stream `seed`. Raises InputError for an unknown problem or too small a size."""
    if problem not in PROBLEMS:
        raise InputError(f"unknown problem {problem!r}; there is {', '.join(PROBLEMS)}")
    if size < MIN_SIZE:
        raise InputError(f"the size of an instance must be at least {MIN_SIZE}, got {size}")
    return PROBLEMS[problem].draw(Random(f"{problem}-{size}-{seed}-{index}"), size)


def instance_problem(problem_id: str, instance: Instance, kind: TextKind, *, compact: bool = False) -> Problem:
    """Return the problem of solving an instance in this kind of text; a `compact` prompt has little but numbers."""
    text, specs = (compact_text if compact else prompt_text)(instance, kind)
    return Problem(
        problem_id=problem_id,
        messages=({"role": "user", "content": text},),
        constraints=specs,
        task=instance.problem,
    )


def with_reference(problem: Problem, reference: Reference, instance: Instance) -> Problem:
    """Return the problem with the reference's objective, its scale and how it was found."""
    extras = {
        "scale": instance.scale(reference.solution),
        "solution": write(instance, reference.solution, "plain"),
        "solver": reference.solver,
        "solver_version": reference.version,
        "solver_seconds": reference.seconds,
        "solver_seed": reference.seed,
        "proven": reference.proven,
    }
    return replace(problem, reference=str(reference.objective), extras=extras)


def solution_outcome(problem: Problem, answer: str) -> Outcome | None:
    """Return what an answer is worth beside the reference; None for a problem without rules of feasibility."""
    rules = [{"id": spec.id, "kwargs": spec.kwargs} for spec in problem.constraints]
    return outcome_of_row(answer, rules, problem.reference, problem.extras.get("scale"))


def chat_row(problem: Problem, instance: Instance, reference: Reference, kind: TextKind) -> Mapping[str, Any]:
    """Return a row for GRPO that is one for supervised training, too: its `completion` is the reference solution."""
    answer = write(instance, reference.solution, kind)
    return {
        **to_row(with_reference(problem, reference, instance)),
        "completion": [{"role": "assistant", "content": answer}],
    }
