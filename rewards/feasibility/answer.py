"""Answer: the solution that a text states, with the place of each number, or where the text stops being one."""

from collections.abc import Mapping
from dataclasses import dataclass

from rewards.feasibility.instance import Place, Solution
from rewards.verdict import Span


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """A solution and where it stands in its text."""

    solution: Solution
    steps: Mapping[Place, Span]
    """The step that makes a choice: its line, or its number in a plain text; for `END` what ends the text."""
    wrong: tuple[Span, ...] = ()
    """Stated numbers that are not what follows from the instance and from the numbers stated before them."""
    right: tuple[Span, ...] = ()
    """All other numbers that are no choices."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Unreadable:
    """A text that is no solution."""

    start: int
    """Where it stops being one."""
