"""References: solutions to compare with, exact for small instances, else by a solver within a time limit."""

import sys
from dataclasses import dataclass

from data.combinatorial.exact import exact_solution
from rewards.feasibility.instance import Instance, Solution


@dataclass(frozen=True, kw_only=True, slots=True)
class Reference:
    """A solution, and how it was found.

    Example:
        Reference(solution=((2, 1, 3),), objective=96, solver="ortools", version="9.15",
                  seconds=10.0, seed=0, proven=True)
    """

    solution: Solution
    objective: int
    solver: str
    version: str
    seconds: float
    """Time limit."""
    seed: int
    proven: bool
    """Whether no better solution exists."""


def reference_of(instance: Instance, *, seconds: float = 10.0, seed: int = 0) -> Reference:
    """Return the reference of an instance.

    Raises InputError where a solver is needed and the extra `combinatorial` is not installed.
    """
    solution = exact_solution(instance)
    if solution is None:
        from data.combinatorial.solvers import solve

        return solve(instance, seconds=seconds, seed=seed)
    return Reference(
        solution=solution,
        objective=instance.objective(solution),
        solver="dynamic programming",
        version=".".join(map(str, sys.version_info[:2])),
        seconds=seconds,
        seed=seed,
        proven=True,
    )
