"""Steps: the stepwise text of a solution, read line by line and compared with the account of that solution."""

from collections.abc import Mapping, Sequence

from rewards.feasibility.answer import Answer, Unreadable
from rewards.feasibility.grammar import StatedLine, grammar
from rewards.feasibility.instance import END, Instance, Line, Place, Solution, next_line
from rewards.feasibility.templates import Field, total
from rewards.verdict import Span


def read_steps(instance: Instance, text: str) -> Answer | Unreadable:
    """Return the solution that the lines of a text choose, with all other numbers of it sorted into right and wrong."""
    lines = grammar(type(instance)).lines(text)
    if isinstance(lines, Unreadable):
        return lines
    solution, steps = _choices(instance, lines)
    return _audited(instance, lines, solution, {**steps, END: lines[-1][-1]})


def _choices(instance: Instance, lines: Sequence[StatedLine]) -> tuple[Solution, dict[Place, Span]]:
    """Return what the lines choose, in lists as the instance groups them, and the line of each choice."""
    groups: list[list[int]] = [] if instance.opens else [[]]
    steps: dict[Place, Span] = {}
    for form, values, _, span in lines:
        if form.opens:
            groups.append([])
        if not groups:
            continue
        for at in form.choices:
            steps[len(groups) - 1, len(groups[-1])] = span
            groups[-1].append(values[at])
    return tuple(map(tuple, groups)), steps


def _audited(
    instance: Instance, lines: Sequence[StatedLine], solution: Solution, steps: Mapping[Place, Span]
) -> Answer | Unreadable:
    """Compare the lines with the account of the solution, which is told what they state."""
    if not instance.has_shape(solution) or any(number < 0 for group in solution for number in group):
        return Unreadable(start=lines[0][-1][0])
    right: list[Span] = []
    wrong: list[Span] = []
    account = instance.account(solution)
    expected: Line | None = next(account)
    for form, values, spans, span in lines:
        if expected is None or form.name != expected[0]:
            return Unreadable(start=span[0])
        for field in form.audited:
            _audit(field, values, spans, expected[1][field.name], right, wrong)
        expected = next_line(account, {name: values[at] for name, at in form.sums})
    if expected is not None:
        return Unreadable(start=steps[END][0])
    return Answer(solution=solution, steps=steps, right=tuple(right), wrong=tuple(wrong))


def _audit(
    field: Field,
    values: tuple[int, ...],
    spans: tuple[Span, ...],
    due: int | tuple[int, ...],
    right: list[Span],
    wrong: list[Span],
) -> None:
    """Add the span of each of a field's numbers to the right or the wrong ones: a total by the terms as stated."""
    _, weights, first, end = field
    stated = values[first:end]
    wanted = (*due, total(stated[:-1], weights)) if isinstance(due, tuple) else (due,)
    if stated == wanted:
        right += spans[first:end]
        return
    for number, wanted_number, span in zip(stated, wanted, spans[first:end], strict=True):
        (right if number == wanted_number else wrong).append(span)
