"""A kind of constraint: how its arguments are drawn, and how it is said."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Literal

from data.instructions import Instruction

Category = Literal["content", "format", "language", "length"]
"""The four main categories of MulDimIF (arXiv 2505.07591, section 3); letter case belongs to language."""

Arguments = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Kind:
    """One kind of constraint, under the id of the verifier that decides it."""

    id: str
    category: Category
    draw: Callable[[Random, Instruction], dict[str, Any]]
    """Arguments for one prompt; `nothing` where the verifier takes none."""
    say: Callable[[Arguments], Sequence[str]]
    """Several ways to state it, each a verb phrase that can follow "Please" or "Make sure to"."""
    short: bool = False
    """Whether an answer of some thirty words by a small model can satisfy it."""


def nothing(rng: Random, instruction: Instruction) -> dict[str, Any]:
    """The draw of a kind without arguments."""
    return {}


def always(*phrasings: str) -> Callable[[Arguments], Sequence[str]]:
    """The `say` of a kind without arguments."""
    return lambda kwargs: phrasings


def count(number: int, noun: str) -> str:
    """A number with its noun: `1 word`, `3 words`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def quoted(words: Sequence[str]) -> str:
    """Words in quotation marks, joined as prose: `'rain' and 'sun'`."""
    marks = [f"'{word}'" for word in words]
    return marks[0] if len(marks) == 1 else f"{', '.join(marks[:-1])} and {marks[-1]}"
