"""Prompt templates: write a request and its constraints as one prompt, with the span of each constraint."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from random import Random
from string import Formatter
from typing import Literal, get_args

from data.constraints import Category, find_kind
from data.instructions import Instruction
from data.problems import Constraint, ConstraintSpec, Problem
from rewards.errors import InputError
from rewards.verdict import Span

Pattern = Literal["listing", "incorporation", "example"]
"""MulDimIF's three ways to state constraints (arXiv 2505.07591, section 3)."""

# {q} is the request; {0} a constraint as a verb phrase, {0!c} the same with a capital letter.
INCORPORATION = {
    1: (
        "{q} {0!c}.",
        "{q} Please {0}.",
        "{q} In your answer, {0}.",
        "{q} Make sure to {0}.",
        "{q} Remember to {0}.",
        "{q} As you do so, {0}.",
        "Please {0}. {q}",
        "In your reply to this, {0}: {q}",
    ),
    2: (
        "{q} {0!c} and {1}.",
        "{q} Please {0}, and {1}.",
        "{q} In your answer, {0}. Also, {1}.",
        "{q} Make sure to {0} and to {1}.",
        "{q} {0!c}. {1!c}.",
        "{q} As you do so, {0}; in addition, {1}.",
        "Please {0}. {q} Also {1}.",
    ),
    3: (
        "{q} {0!c}, {1}, and {2}.",
        "{q} Please {0}. Also {1}, and {2}.",
        "{q} In your answer, {0} and {1}. In addition, {2}.",
        "{q} Make sure to {0}, to {1}, and to {2}.",
        "{q} {0!c}. {1!c}. Finally, {2}.",
        "Please {0}. {q} As you do so, {1}, and {2}.",
    ),
}
LISTING = (
    "{q}\nFollow these rules:",
    "{q}\nRules:",
    "{q}\nThe answer must keep to the following rules:",
    "{q}\nPlease observe each of these points:",
)


EXAMPLE = (
    "Here is an example of an answer that keeps the rules.\nQuestion: {question}\nAnswer: {answer}\n\nNow your turn. ",
    "Example question: {question}\nExample answer: {answer}\n\nAnswer the next one in the same form. ",
    "Look at this example first.\nQ: {question}\nA: {answer}\n\nQ: ",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Shot:
    """A question with an answer that satisfies the constraints."""

    question: str
    answer: str


def write_prompt(
    request: str, phrases: Sequence[str], *, pattern: Pattern, rng: Random, shot: Shot | None = None
) -> tuple[str, tuple[Span, ...]]:
    """Return the user message, and the half-open span of each phrase in it, in the order of `phrases`.

    The pattern `example` needs a shot, which stands before the request; the others take none.
    """
    if pattern not in get_args(Pattern):
        raise InputError(f"unknown pattern {pattern!r}; known are {sorted(get_args(Pattern))}")
    if (shot is not None) != (pattern == "example"):
        raise InputError(f"the pattern 'example' needs a shot and the others none; got {pattern!r} with {shot!r}")
    template = _listing(len(phrases), rng) if pattern == "listing" else _incorporation(len(phrases), rng)
    text, spans = fill_template(template, request, phrases)
    if shot is None:
        return text, spans
    prefix = rng.choice(EXAMPLE).format(question=shot.question, answer=shot.answer)
    return prefix + text, tuple((start + len(prefix), end + len(prefix)) for start, end in spans)


def fill_template(template: str, request: str, phrases: Sequence[str]) -> tuple[str, tuple[Span, ...]]:
    """Put the request and the phrases into a template, and return the span of each phrase."""
    text, spans = "", dict[int, Span]()
    for literal, name, _, conversion in Formatter().parse(template):
        text += literal
        if name == "q":
            text += request
        elif name is not None:
            phrase = phrases[int(name)]
            start = len(text)
            text += phrase[0].upper() + phrase[1:] if conversion == "c" else phrase
            spans[int(name)] = (start, len(text))
    return text, tuple(spans[number] for number in range(len(phrases)))


def _listing(num_phrases: int, rng: Random) -> str:
    return rng.choice(LISTING) + "".join(f"\n{number + 1}. {{{number}!c}}." for number in range(num_phrases))


def _incorporation(num_phrases: int, rng: Random) -> str:
    """Return a prose template; constraints past the third follow one by one."""
    template = rng.choice(INCORPORATION[min(num_phrases, 3)])
    return template + "".join(f" Also, {{{number}}}." for number in range(3, num_phrases))


SHOT_QUESTIONS = (
    "Describe life in a small town.",
    "What do people in your town do all day?",
    "Tell me about the place where you live.",
    "Write about an ordinary day by the river.",
)
"""Questions that fit a witness, which is written from the lexicon."""


def compose_problem(
    problem_id: str,
    instruction: Instruction,
    drawn: Sequence[Constraint],
    *,
    pattern: Pattern,
    rng: Random,
    answer: str | None = None,
) -> Problem:
    """Return the problem with each constraint's span in the prompt.

    `answer` satisfies all constraints, for the pattern `example`.
    """
    phrases = [rng.choice(find_kind(kind_id).phrasings(kwargs)) for kind_id, kwargs in drawn]
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


def categories(constraints: Iterable[Constraint]) -> set[Category]:
    """Return the main categories of the constraints; their number is the level."""
    return {find_kind(kind_id).category for kind_id, _ in constraints}
