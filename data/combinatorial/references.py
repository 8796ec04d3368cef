"""References: solutions to compare with, exact for small instances, else by a solver within a time limit."""

import sys

from data.combinatorial.exact import exact_solution
from data.combinatorial.reference import Reference
from data.combinatorial.solvers import solve
from rewards.feasibility.instance import Instance


def reference_of(instance: Instance, *, seconds: float = 10.0, seed: int = 0) -> Reference:
    """Return the reference of an instance.

    Raises InputError where a solver is needed and the extra `combinatorial` is not installed.
    """
    solution = exact_solution(instance)
    if solution is None:
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
