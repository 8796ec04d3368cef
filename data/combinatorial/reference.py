"""Reference: a solution to compare with, and how it was found."""

from dataclasses import dataclass

from rewards.feasibility.instance import Solution


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
