"""Grammar: the lines of a problem's stepwise text, found by one regular expression for all of its templates."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from rewards.feasibility.answer import Unreadable
from rewards.feasibility.instance import Instance
from rewards.feasibility.templates import Field, Template, template
from rewards.verdict import Span

EMPTY_LINES = re.compile(r"(?:\s*\n)?")


class Form(NamedTuple):
    """A kind of line: one template, with its fields told apart."""

    name: str
    opens: bool
    """Whether such a line begins a new list of choices."""
    choices: tuple[int, ...]
    """Which of its numbers are choices."""
    audited: tuple[Field, ...]
    """The fields that are not."""
    sums: tuple[tuple[str, int], ...]
    """The name of each sum, and which number is its total."""
    groups: slice
    """The groups of its numbers in the grammar's pattern."""


StatedLine = tuple[Form, tuple[int, ...], tuple[Span, ...], Span]
"""A line of a text: its kind, its numbers, where they stand, and where the line does."""


@dataclass(frozen=True, slots=True)
class Grammar:
    """All kinds of lines of a problem."""

    pattern: re.Pattern[str]
    """One line up to the next one, with an empty group after the line's own text."""
    forms: Mapping[int, Form]
    """By the number of that group."""

    def lines(self, text: str) -> list[StatedLine] | Unreadable:
        """Return the lines of a text, without empty ones and without white space at their ends."""
        lines: list[StatedLine] = []
        first = EMPTY_LINES.match(text)
        position = first.end() if first else 0
        for match in self.pattern.finditer(text, position):
            spans, last = match.regs, match.lastindex or 0
            start, end = spans[0]
            if start != position:
                break
            form, position = self.forms[last], end
            values = tuple(map(int, match.groups()[form.groups]))
            lines.append((form, values, spans[1:][form.groups], (start, spans[last][0])))
        return Unreadable(start=position) if not lines or text[position:].strip() else lines


@cache
def grammar(problem: type[Instance]) -> Grammar:
    """Return the grammar of a problem's stepwise text."""
    forms: dict[int, Form] = {}
    templates = {name: template(text) for name, text in problem.templates.items()}
    groups = 0
    for name, line in templates.items():
        numbers = line.fields[-1].end if line.fields else 0
        forms[groups + numbers + 1] = _form(problem, name, line, slice(groups, groups + numbers))
        groups += numbers + 1
    alternatives = "|".join(line.pattern + "()" for line in templates.values())
    return Grammar(re.compile(rf"(?:{alternatives})\s*(?:\n|\Z)"), forms)


def _form(problem: type[Instance], name: str, line: Template, groups: slice) -> Form:
    chosen = [field for field in line.fields if field.name in problem.choices]
    return Form(
        name=name,
        opens=name == problem.opens,
        choices=tuple(field.first for field in chosen),
        audited=tuple(field for field in line.fields if field not in chosen),
        sums=tuple((field.name, field.end - 1) for field in line.fields if field.weights),
        groups=groups,
    )
