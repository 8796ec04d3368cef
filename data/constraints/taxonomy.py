"""A kind of constraint: how its arguments are drawn, and how it is said."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Literal

from data.instructions import Instruction

Category = Literal["content", "format", "language", "length"]
"""The four main categories of MulDimIF (arXiv 2505.07591, section 3); letter case belongs to language."""

Arguments = Mapping[str, Any]
Draw = Callable[[Random, Instruction], dict[str, Any]]
Say = Callable[[Arguments], Sequence[str]]


@dataclass(frozen=True, kw_only=True, slots=True)
class ConstraintKind:
    """One kind of constraint, under the id of the verifier that decides it."""

    id: str
    category: Category
    draw: Draw
    """Arguments for one prompt."""
    say: Say
    """Several ways to state it, each a verb phrase that can follow "Please" or "Make sure to"."""
    short: bool = False
    """Whether an answer of some thirty words by a small model can satisfy it."""
    about_prompt: bool = False
    """Whether it speaks of the finished prompt, so that no witness can be written before; drawn only if named."""


def fixed(kind_id: str, category: Category, *phrasings: str, short: bool = False) -> ConstraintKind:
    """A kind without arguments."""
    return ConstraintKind(
        id=kind_id, category=category, draw=lambda rng, instruction: {}, say=lambda kwargs: phrasings, short=short
    )


def counting(
    kind_id: str,
    category: Category,
    key: str,
    noun: str,
    *,
    numbers: tuple[int, int],
    relations: tuple[str, ...] = ("at least", "at most", "exactly"),
    where: str = "",
) -> ConstraintKind:
    """A kind that counts something: `key` is the number's argument, `noun` what is counted, `where` what follows it."""

    def draw(rng: Random, instruction: Instruction) -> dict[str, Any]:
        return {key: rng.randint(*numbers), "relation": rng.choice(relations)}

    def say(kwargs: Arguments) -> list[str]:
        amount = f"{related(kwargs['relation'], kwargs[key], noun)}{where}"
        return [f"use {amount}", f"write with {amount}", f"have {amount}"]

    return ConstraintKind(id=kind_id, category=category, draw=draw, say=say)


def naming(kind_id: str, category: Category, draw: Draw, *templates: str, about_prompt: bool = False) -> ConstraintKind:
    """A kind whose arguments simply fill the blanks of its phrasings; lists are quoted and joined."""

    def say(kwargs: Arguments) -> list[str]:
        words = {name: quoted(value) if isinstance(value, list) else value for name, value in kwargs.items()}
        return [template.format(**words) for template in templates]

    return ConstraintKind(id=kind_id, category=category, draw=draw, say=say, about_prompt=about_prompt)


def related(relation: str, number: int, noun: str) -> str:
    """A number with its relation and noun: `fewer than 3 words`."""
    return f"{'fewer than' if relation == 'less than' else relation} {count(number, noun)}"


def count(number: int, noun: str) -> str:
    """A number with its noun, whose first word takes the plural: `1 word`, `3 lines of text`."""
    head, of, rest = noun.partition(" of ")
    ending = "" if number == 1 else "es" if head.endswith("s") else "s"
    return f"{number} {head}{ending}{of}{rest}"


def quoted(words: Sequence[Any]) -> str:
    """Words in quotation marks, joined as prose: `'rain' and 'sun'`."""
    marks = [f"'{word}'" for word in words]
    return marks[0] if len(marks) == 1 else f"{', '.join(marks[:-1])} and {marks[-1]}"


def drawn_from(name: str, values: Sequence[Any]) -> Draw:
    """A draw of one argument from a list."""
    return lambda rng, instruction: {name: rng.choice(values)}


def own_word(name: str) -> Draw:
    """A draw of one of the instruction's own words."""
    return lambda rng, instruction: {name: rng.choice(instruction.words)}
