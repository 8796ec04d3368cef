"""Templates: lines of text with numbers in them, written from values, and how such a line is recognised."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from operator import mul
from typing import NamedTuple

Values = Mapping[str, int | tuple[int, ...]]
"""Field -> its number, or the start and the terms of a sum."""

FIELD = re.compile(r"\{(\w+)([+-]*)\}")
NUMBER = r"(-?(?:0|[1-9][0-9]{0,8}))"


class Field(NamedTuple):
    """A field of a template: its name, the weights of a sum's start and terms, and which of a line's numbers it has.

    Without weights it is a number that is no sum; of a sum the total is the last number.
    """

    name: str
    weights: tuple[int, ...]
    """1 for the start and for each addition, -1 for each subtraction."""
    first: int
    end: int


@dataclass(frozen=True, slots=True)
class Template:
    """A line; `{name}` stands for a number and `{name+-}` for a sum, here of a start, one addition and one subtraction.

    Example:
        template("visit {client}: cost {cost+-}")    # visit 5: cost 10 + 41 - 7 = 44
    """

    text: str
    pattern: str
    """Regular expression of the line, with a group for each number."""
    fields: tuple[Field, ...]

    def write(self, values: Values) -> str:
        """Return the line with these values; of a sum the total is added."""
        return FIELD.sub(lambda field: _written(values[field[1]], field[2]), self.text)

    def totals(self, values: Values) -> dict[str, int]:
        """Return the number of each field, of a sum what its start and terms make."""
        return {field.name: total(values[field.name], field.weights) for field in self.fields}


@cache
def template(text: str) -> Template:
    """Return the template that a text with fields in braces describes."""
    literals = [re.escape(part) for part in FIELD.sub("\0", text).split("\0")]
    numbers = [*(_field_pattern(signs) for _, signs in FIELD.findall(text)), ""]
    pattern = "".join(part + number for part, number in zip(literals, numbers, strict=True))
    return Template(text=text, pattern=pattern, fields=_fields(text))


def _fields(text: str) -> tuple[Field, ...]:
    fields, first = [], 0
    for name, signs in FIELD.findall(text):
        weights = _weights(signs)
        end = first + len(weights) + 1
        fields.append(Field(name, weights, first, end))
        first = end
    return tuple(fields)


def _field_pattern(signs: str) -> str:
    steps = "".join(f" {re.escape(sign)} {NUMBER}" for sign in signs)
    return f"{NUMBER}{steps} = {NUMBER}" if signs else NUMBER


def total(value: int | Sequence[int], weights: Sequence[int]) -> int:
    """Return what a start and its terms make; a number is its own total."""
    return value if isinstance(value, int) else sum(map(mul, weights, value))


def _weights(signs: str) -> tuple[int, ...]:
    return (1, *(1 if sign == "+" else -1 for sign in signs)) if signs else ()


def _written(value: int | tuple[int, ...], signs: str) -> str:
    if isinstance(value, int):
        return str(value)
    start, *terms = value
    steps = "".join(f" {sign} {term}" for sign, term in zip(signs, terms, strict=True))
    return f"{start}{steps} = {total(value, _weights(signs))}"
