"""Composition: an instruction and its constraints, put in words and into one prompt."""

from collections.abc import Iterable, Mapping, Sequence
from random import Random
from typing import Any

from data.constraints import Category, find_kind
from data.instructions import Instruction
from data.patterns import Pattern, Shot, write_prompt
from data.problems import ConstraintSpec, Problem

Drawn = tuple[str, Mapping[str, Any]]
"""A constraint before it is put in words: verifier id and arguments."""


SHOT_QUESTIONS = (
    "Describe life in a small town.",
    "What do people in your town do all day?",
    "Tell me about the place where you live.",
    "Write about an ordinary day by the river.",
)
"""What a witness, written from the lexicon, answers."""


def compose(
    problem_id: str,
    instruction: Instruction,
    drawn: Sequence[Drawn],
    *,
    pattern: Pattern,
    rng: Random,
    answer: str | None = None,
) -> Problem:
    """The problem with each constraint's place in the prompt; `answer` keeps them all, for the pattern `example`."""
    phrases = [rng.choice(find_kind(kind_id).say(kwargs)) for kind_id, kwargs in drawn]
    shot = None
    if pattern == "example" and answer is not None:
        shot = Shot(question=rng.choice(SHOT_QUESTIONS), answer=answer)
    content, spans = write_prompt(instruction.text, phrases, pattern=pattern, rng=rng, shot=shot)
    return Problem(
        problem_id=problem_id,
        messages=({"role": "user", "content": content},),
        constraints=tuple(
            ConstraintSpec(id=kind_id, kwargs=kwargs, text=content[slice(*span)], spans=(span,))
            for (kind_id, kwargs), span in zip(drawn, spans, strict=True)
        ),
        extras={"request": instruction.text, "pattern": pattern, "level": len(categories(drawn))},
    )


def categories(constraints: Iterable[Drawn]) -> set[Category]:
    """The main categories that some constraints cover; their number is the level."""
    return {find_kind(kind_id).category for kind_id, _ in constraints}
