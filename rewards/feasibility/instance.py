"""Instances: the base of all problems, what a rule of theirs is, and the rule that everything is used exactly once."""

from abc import ABC, abstractmethod
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import ClassVar, Literal

from rewards.feasibility.templates import Values, template

Solution = tuple[tuple[int, ...], ...]
"""The choices of a solution as lists of numbers: routes, bins, or one list alone; each problem says which."""
Place = tuple[int, int]
"""List and index of a choice of a solution."""
END: Place = (-1, -1)
"""The place at which a solution ends: that of whatever is missing."""
Line = tuple[str, Values]
"""Name of a template, and its values."""
Account = Generator[Line, Mapping[str, int], None]
"""Yields the lines of the stepwise text one by one, and is sent the totals of the sums that each line really states."""

RuleName = Literal["form", "known", "once", "all", "capacity", "order", "zones", "sums"]
RULES: dict[RuleName, str] = {
    "form": "The answer has the form that was asked for, from its first character to its last.",
    "known": "Every number names something that there is.",
    "once": "Nothing is chosen twice.",
    "all": "Nothing is left out.",
    "capacity": "No load exceeds its capacity.",
    "order": "Every operation comes after the job's earlier ones, on its own machine.",
    "zones": "No vehicle visits a client that is closed to it.",
    "sums": "Every stated number is right, given those stated before it.",
}
"""Each rule, and when it is kept."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Instance(ABC):
    """One instance of a combinatorial problem, in whole numbers."""

    problem: ClassVar[str]
    """The problem's name."""
    rules: ClassVar[tuple[RuleName, ...]]
    """The rules of a solution; a text has `form` as well, and a stepwise one `sums`."""
    sign: ClassVar[int] = 1
    """1 if the objective is to be small, -1 if it is to be large."""
    goal: ClassVar[str]
    """Field of the last line that is the objective."""
    opens: ClassVar[str | None] = None
    """The template whose lines each begin a new list of choices; without one there is a single list."""
    choices: ClassVar[tuple[str, ...]]
    """Fields that are choices; the other numbers of a text follow from them."""
    templates: ClassVar[Mapping[str, str]]
    """Lines of the stepwise text by name."""

    @classmethod
    @abstractmethod
    def draw(cls, rng: Random, size: int) -> "Instance":
        """Return a random instance of so many cities, clients, items or jobs."""

    @abstractmethod
    def violations(self, solution: Solution) -> dict[RuleName, list[Place]]:
        """Return, for each of `rules`, the choices that break it."""

    @abstractmethod
    def account(self, solution: Solution) -> Account:
        """Tell the solution line by line with running totals; unknown numbers count for nothing."""

    def lines(self, solution: Solution) -> list[Line]:
        """Return the account of a solution in which every total is right."""
        account, lines = self.account(solution), []
        line: Line | None = next(account)
        while line is not None:
            lines.append(line)
            line = next_line(account, template(self.templates[line[0]]).totals(line[1]))
        return lines

    def objective(self, solution: Solution) -> int:
        """Return the value of a solution without unknown numbers."""
        value = self.lines(solution)[-1][1][self.goal]
        assert isinstance(value, int), "the last line has no sums"
        return value

    def has_shape(self, solution: Solution) -> bool:
        """Return whether there are as many lists, of such lengths, as solutions have."""
        return self.opens is not None or len(solution) == 1

    def scale(self, solution: Solution) -> int:
        """Return the size that a gap to this solution is measured by."""
        return max(1, abs(self.objective(solution)))


def next_line(account: Account, stated: Mapping[str, int]) -> Line | None:
    """Return the line after one that states these numbers, None after the last."""
    try:
        return account.send(stated)
    except StopIteration:
        return None


def used_once(choices: Iterable[tuple[Place, int]], wanted: range) -> dict[RuleName, list[Place]]:
    """Return the choices outside `wanted`, the repeated ones, and `END` for each number of it that is never chosen."""
    unknown: list[Place] = []
    repeated: list[Place] = []
    seen: set[int] = set()
    for place, number in choices:
        if number not in wanted:
            unknown.append(place)
        elif number in seen:
            repeated.append(place)
        seen.add(number)
    return {"known": unknown, "once": repeated, "all": [END] * len(set(wanted) - seen)}


def placed(solution: Solution, *, first: int = 0) -> list[tuple[Place, int]]:
    """Return all choices with their places, without the `first` ones of each list."""
    return [((row, at), group[at]) for row, group in enumerate(solution) for at in range(first, len(group))]


def overloads(solution: Solution, loads: Sequence[int], capacity: int, *, first: int = 0) -> list[Place]:
    """Return the choices at which the load of their list exceeds the capacity, without the `first` ones of each."""
    broken = []
    for row, group in enumerate(solution):
        load = 0
        for at in range(first, len(group)):
            load += at_or_zero(loads, group[at])
            if load > capacity:
                broken.append((row, at))
    return broken


def at_or_zero(numbers: Sequence[int], index: int) -> int:
    """Return the number at an index, 0 where there is none."""
    return numbers[index] if 0 <= index < len(numbers) else 0


def check_numbers(name: str, numbers: Iterable[int], *, minimum: int = 0) -> None:
    """Raise ValueError for anything but whole numbers from the minimum on."""
    for number in numbers:
        if type(number) is not int or number < minimum:
            raise ValueError(f"{name} should hold whole numbers of at least {minimum}, got {number!r}")
