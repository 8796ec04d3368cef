"""Texts: a solution written plainly or step by step, and read back with the place of each number."""

import re
from typing import Literal

from rewards.feasibility.answer import Answer, Unreadable
from rewards.feasibility.instance import END, Instance, Solution
from rewards.feasibility.steps import read_steps
from rewards.feasibility.templates import template

TextKind = Literal["plain", "stepwise"]
"""A list of lists alone, or a line for each step with running totals."""

PLAIN = re.compile(r"\s*\[\s*(?:\[[\s0-9,]*\]\s*(?:,\s*\[[\s0-9,]*\]\s*)*)?\]\s*")
GROUP = re.compile(r"\[([\s0-9,]*)\]")
NUMBERS = re.compile(r"\s*(?:[0-9]{1,9}\s*(?:,\s*[0-9]{1,9}\s*)*)?")
DIGITS = re.compile(r"[0-9]+")


def write(instance: Instance, solution: Solution, kind: TextKind) -> str:
    """Return the text of a solution."""
    if kind == "plain":
        return str([list(group) for group in solution])
    return "\n".join(template(instance.templates[name]).write(values) for name, values in instance.lines(solution))


def read(instance: Instance, text: str, kind: TextKind) -> Answer | Unreadable:
    """Return the solution that a text states; the whole text must be one, but for white space and empty lines."""
    return _read_plain(instance, text) if kind == "plain" else read_steps(instance, text)


def _read_plain(instance: Instance, text: str) -> Answer | Unreadable:
    if not PLAIN.fullmatch(text):
        return Unreadable(start=0)
    groups = list(GROUP.finditer(text, text.index("[") + 1, text.rindex("]")))
    if not all(NUMBERS.fullmatch(group[1]) for group in groups):
        return Unreadable(start=0)
    numbers = [list(DIGITS.finditer(text, *group.span())) for group in groups]
    solution = tuple(tuple(int(number[0]) for number in members) for members in numbers)
    if not instance.has_shape(solution):
        return Unreadable(start=0)
    steps = {(row, at): number.span() for row, members in enumerate(numbers) for at, number in enumerate(members)}
    end = len(text.rstrip())
    return Answer(solution=solution, steps={**steps, END: (end - 1, end)})
