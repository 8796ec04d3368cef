"""Templates: lines of text with numbers in them, written from values and read back with the span of each number."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from rewards.verdict import Span

Values = Mapping[str, int | tuple[int, ...]]
"""Field -> its number, or the start and the terms of a sum."""

FIELD = re.compile(r"\{(\w+)([+-]*)\}")
NUMBER = r"(-?(?:0|[1-9][0-9]{0,8}))"


class Numbers(NamedTuple):
    """The numbers of a line of text, in their order."""

    values: tuple[int, ...]
    spans: tuple[Span, ...]


class Field(NamedTuple):
    """A field of a template: its name, the signs of its terms, and which of a line's numbers it has.

    Without signs it is a number that is no sum; of a sum the total is the last number.
    """

    name: str
    signs: str
    first: int
    end: int


@dataclass(frozen=True, slots=True)
class Template:
    """A line; `{name}` stands for a number and `{name+-}` for a sum, here of a start, one addition and one subtraction.

    Example:
        template("visit {client}: cost {cost+-}")    # visit 5: cost 10 + 41 - 7 = 44
    """

    text: str
    pattern: re.Pattern[str]
    fields: tuple[Field, ...]

    def write(self, values: Values) -> str:
        """Return the line with these values; of a sum the total is added."""
        return FIELD.sub(lambda field: _written(values[field[1]], field[2]), self.text)

    def read(self, text: str, start: int, end: int) -> Numbers | None:
        """Return the numbers of a text's line, None for another line."""
        match = self.pattern.fullmatch(text, start, end)
        if match is None:
            return None
        spans = tuple([match.span(group) for group in range(1, self.pattern.groups + 1)])
        return Numbers(tuple(map(int, match.groups())), spans)

    def totals(self, values: Values) -> dict[str, int]:
        """Return the number of each field, of a sum what its start and terms make."""
        return {field.name: total(values[field.name], field.signs) for field in self.fields}


@cache
def template(text: str) -> Template:
    """Return the template that a text with fields in braces describes."""
    literals = [re.escape(part) for part in FIELD.sub("\0", text).split("\0")]
    numbers = [*(_field_pattern(signs) for _, signs in FIELD.findall(text)), ""]
    pattern = re.compile("".join(part + number for part, number in zip(literals, numbers, strict=True)))
    return Template(text=text, pattern=pattern, fields=_fields(text))


def _fields(text: str) -> tuple[Field, ...]:
    fields, first = [], 0
    for name, signs in FIELD.findall(text):
        end = first + (len(signs) + 2 if signs else 1)
        fields.append(Field(name, signs, first, end))
        first = end
    return tuple(fields)


def _field_pattern(signs: str) -> str:
    steps = "".join(f" {re.escape(sign)} {NUMBER}" for sign in signs)
    return f"{NUMBER}{steps} = {NUMBER}" if signs else NUMBER


def total(value: int | Sequence[int], signs: str) -> int:
    """Return what a start and its terms make; a number is its own total."""
    if isinstance(value, int):
        return value
    result = value[0]
    for sign, term in zip(signs, value[1:], strict=True):
        result += term if sign == "+" else -term
    return result


def _written(value: int | tuple[int, ...], signs: str) -> str:
    if isinstance(value, int):
        return str(value)
    start, *terms = value
    steps = "".join(f" {sign} {term}" for sign, term in zip(signs, terms, strict=True))
    return f"{start}{steps} = {total(value, signs)}"
