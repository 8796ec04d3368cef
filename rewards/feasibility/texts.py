"""Texts: a solution written plainly or step by step, and read back with the place of each number."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from rewards.feasibility.instance import END, Instance, Line, Place, Solution, next_line
from rewards.feasibility.templates import Field, Template, Values, template, total
from rewards.verdict import Span

TextKind = Literal["plain", "stepwise"]
"""A list of lists alone, or a line for each step with running totals."""

PLAIN = re.compile(r"\s*\[\s*(?:\[[\s0-9,]*\]\s*(?:,\s*\[[\s0-9,]*\]\s*)*)?\]\s*")
GROUP = re.compile(r"\[([\s0-9,]*)\]")
NUMBERS = re.compile(r"\s*(?:[0-9]{1,9}\s*(?:,\s*[0-9]{1,9}\s*)*)?")
DIGITS = re.compile(r"[0-9]+")
LINE = re.compile(r"[^\n]+")


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


def write(instance: Instance, solution: Solution, kind: TextKind) -> str:
    """Return the text of a solution."""
    if kind == "plain":
        return str([list(group) for group in solution])
    return "\n".join(template(instance.templates[name]).write(values) for name, values in instance.lines(solution))


def read(instance: Instance, text: str, kind: TextKind) -> Answer | Unreadable:
    """Return the solution that a text states; the whole text must be one, but for white space and empty lines."""
    answer = _read_plain(text) if kind == "plain" else _read_steps(instance, text)
    if isinstance(answer, Answer) and not instance.has_shape(answer.solution):
        return Unreadable(start=0)
    return answer


def _read_plain(text: str) -> Answer | Unreadable:
    if not PLAIN.fullmatch(text):
        return Unreadable(start=0)
    groups = list(GROUP.finditer(text, text.index("[") + 1, text.rindex("]")))
    if not all(NUMBERS.fullmatch(group[1]) for group in groups):
        return Unreadable(start=0)
    numbers = [list(DIGITS.finditer(text, *group.span())) for group in groups]
    steps = {(row, at): number.span() for row, members in enumerate(numbers) for at, number in enumerate(members)}
    end = len(text.rstrip())
    solution = tuple(tuple(int(number[0]) for number in members) for members in numbers)
    return Answer(solution=solution, steps={**steps, END: (end - 1, end)})


@dataclass(frozen=True, slots=True)
class _ReadLine:
    name: str
    template: Template
    values: tuple[int, ...]
    spans: tuple[Span, ...]
    """Of the values."""
    span: Span


def _read_steps(instance: Instance, text: str) -> Answer | Unreadable:
    templates = {name: template(text) for name, text in instance.templates.items()}
    lines: list[_ReadLine] = []
    for line in LINE.finditer(text):
        span = line.start(), line.start() + len(line[0].rstrip())
        if span[0] == span[1]:
            continue
        read_as = _read_line(templates, text, span)
        if read_as is None:
            return Unreadable(start=line.start())
        lines.append(read_as)
    if not lines:
        return Unreadable(start=0)
    solution, steps = _choices(instance, lines)
    return _audited(instance, lines, solution, {**steps, END: lines[-1].span})


def _read_line(templates: Mapping[str, Template], text: str, span: Span) -> _ReadLine | None:
    for name, expected in templates.items():
        if (numbers := expected.read(text, *span)) is not None:
            return _ReadLine(name, expected, numbers.values, numbers.spans, span)
    return None


def _choices(instance: Instance, lines: list[_ReadLine]) -> tuple[Solution, dict[Place, Span]]:
    """Return what the lines choose, in lists as the instance groups them, and the line of each choice."""
    groups: list[list[int]] = [] if instance.opens else [[]]
    steps: dict[Place, Span] = {}
    for line in lines:
        if line.name == instance.opens:
            groups.append([])
        for field in line.template.fields:
            if field.name in instance.choices and groups:
                steps[len(groups) - 1, len(groups[-1])] = line.span
                groups[-1].append(line.values[field.first])
    return tuple(map(tuple, groups)), steps


def _audited(
    instance: Instance, lines: list[_ReadLine], solution: Solution, steps: Mapping[Place, Span]
) -> Answer | Unreadable:
    """Compare the lines with the account of the solution, which is told what they state."""
    if any(number < 0 for group in solution for number in group) or not instance.has_shape(solution):
        return Unreadable(start=lines[0].span[0])
    right: list[Span] = []
    wrong: list[Span] = []
    account = instance.account(solution)
    expected: Line | None = next(account)
    for line in lines:
        if expected is None or line.name != expected[0]:
            return Unreadable(start=line.span[0])
        for field in line.template.fields:
            if field.name not in instance.choices:
                _audit(line, field, expected[1], right, wrong)
        expected = next_line(account, {field.name: line.values[field.end - 1] for field in line.template.fields})
    if expected is not None:
        return Unreadable(start=lines[-1].span[0])
    return Answer(solution=solution, steps=steps, right=tuple(right), wrong=tuple(wrong))


def _audit(line: _ReadLine, field: Field, expected: Values, right: list[Span], wrong: list[Span]) -> None:
    """Add the span of each number of a field to the right or the wrong ones: a total by the terms as stated."""
    value, stated = expected[field.name], line.values[field.first : field.end]
    wanted = (*value, total(stated[:-1], field.signs)) if isinstance(value, tuple) else (value,)
    spans = line.spans[field.first : field.end]
    if stated == wanted:
        right += spans
        return
    for number, due, span in zip(stated, wanted, spans, strict=True):
        (right if number == due else wrong).append(span)
