"""Taxonomy: what a kind of constraint is, and helpers to define one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Literal

from data.instructions import Instruction
from data.problems import Arguments

Category = Literal["content", "format", "language", "length"]
"""The four main categories of MulDimIF (arXiv 2505.07591, section 3); letter case belongs to language."""

Draw = Callable[[Random, Instruction], dict[str, Any]]
Phrasings = Callable[[Arguments], Sequence[str]]


@dataclass(frozen=True, kw_only=True, slots=True)
class ConstraintKind:
    """One kind of constraint, under the id of the verifier that decides it."""

    id: str
    category: Category
    draw: Draw
    """Draws the arguments for one prompt."""
    phrasings: Phrasings
    """Returns several ways to state it, each a verb phrase that can follow "Please" or "Make sure to"."""
    short: bool = False
    """Whether an answer of about thirty words by a small model can satisfy it."""
    about_prompt: bool = False
    """Whether it refers to the finished prompt, so that no witness can be written before; drawn only if named."""


def fixed_kind(kind_id: str, category: Category, *phrasings: str, short: bool = False) -> ConstraintKind:
    """Return a kind without arguments."""
    return ConstraintKind(
        id=kind_id, category=category, draw=lambda rng, instruction: {}, phrasings=lambda kwargs: phrasings, short=short
    )


def counting_kind(
    kind_id: str,
    category: Category,
    key: str,
    noun: str,
    *,
    numbers: tuple[int, int],
    relations: tuple[str, ...] = ("at least", "at most", "exactly"),
    where: str = "",
) -> ConstraintKind:
    """Return a kind that counts something.

    `key` is the number's argument, `noun` what is counted, `where` the words that follow it.
    """

    def draw(rng: Random, instruction: Instruction) -> dict[str, Any]:
        return {key: rng.randint(*numbers), "relation": rng.choice(relations)}

    def phrasings(kwargs: Arguments) -> list[str]:
        amount = f"{relation_phrase(kwargs['relation'], kwargs[key], noun)}{where}"
        return [f"use {amount}", f"write with {amount}", f"have {amount}"]

    return ConstraintKind(id=kind_id, category=category, draw=draw, phrasings=phrasings)


def template_kind(
    kind_id: str, category: Category, draw: Draw, *templates: str, about_prompt: bool = False
) -> ConstraintKind:
    """Return a kind whose arguments simply fill the blanks of its phrasings; lists are quoted and joined."""

    def phrasings(kwargs: Arguments) -> list[str]:
        words = {name: quoted_list(value) if isinstance(value, list) else value for name, value in kwargs.items()}
        return [template.format(**words) for template in templates]

    return ConstraintKind(id=kind_id, category=category, draw=draw, phrasings=phrasings, about_prompt=about_prompt)


def relation_phrase(relation: str, number: int, noun: str) -> str:
    """Return a number with its relation and noun: `fewer than 3 words`."""
    return f"{'fewer than' if relation == 'less than' else relation} {count_phrase(number, noun)}"


def count_phrase(number: int, noun: str) -> str:
    """Return a number with its noun, whose first word takes the plural: `1 word`, `3 lines of text`."""
    head, of, rest = noun.partition(" of ")
    ending = "" if number == 1 else "es" if head.endswith("s") else "s"
    return f"{number} {head}{ending}{of}{rest}"


def quoted_list(words: Sequence[Any]) -> str:
    """Return words in quotation marks, joined as prose: `'rain' and 'sun'`."""
    marks = [f"'{word}'" for word in words]
    return marks[0] if len(marks) == 1 else f"{', '.join(marks[:-1])} and {marks[-1]}"


def draw_choice(name: str, values: Sequence[Any]) -> Draw:
    """Return a draw of one argument from a list of values."""
    return lambda rng, instruction: {name: rng.choice(values)}


def instruction_word(name: str) -> Draw:
    """Return a draw of one of the instruction's words."""
    return lambda rng, instruction: {name: rng.choice(instruction.words)}
