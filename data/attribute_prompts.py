"""Attribute prompts: many attributes that belong together and do not repeat each other, asked of one text."""

from collections.abc import Callable, Sequence
from random import Random

from data.attributes import Attribute, hard_attributes
from data.conflicts import conflict
from data.problems import ConstraintSpec, Problem
from data.prompt_templates import write_prompt
from rewards.errors import InputError

SIZES = (3, 45)
"""Fewest and most attributes of a prompt (UltraGen, arXiv 2502.12375, asks for about 45)."""

MAX_CANDIDATES = 1024
"""Attributes that are looked at for one set, those of the most related texts first."""

REQUEST = "Write a text with all of these properties."

Describe = Callable[[str], Sequence[str]]
"""A text -> what a language model says about it, one line an attribute."""


def sample_attributes(pool: Sequence[Attribute], size: int, rng: Random) -> list[Attribute]:
    """`size` attributes that belong together, do not repeat each other and do not conflict; fewer if none is left.

    From a seed drawn at random, the attributes of the most related texts are candidates; each pick is the candidate
    whose greatest likeness to those already picked is least. (UltraGen takes the least of all likenesses instead,
    which lets an attribute in that repeats one and is far from another.)
    """
    if not SIZES[0] <= size <= SIZES[1]:
        raise InputError(f"the size of an attribute set must be between {SIZES[0]} and {SIZES[1]}, got {size}")
    if not pool:
        raise InputError("no attributes to sample from")
    first = rng.choice(pool)
    shuffled = rng.sample(list(pool), len(pool))
    candidates = sorted(shuffled, key=lambda one: _overlap(one.topic, first.topic), reverse=True)[:MAX_CANDIDATES]
    picked, likeness = [first], [0.0] * len(candidates)
    while len(picked) < size:
        newest = picked[-1]
        likeness = [max(known, alike(one, newest)) for known, one in zip(likeness, candidates, strict=True)]
        kept = [pair for pair in zip(likeness, candidates, strict=True) if _fits(pair[1], newest)]
        if not kept:
            break
        likeness, candidates = [pair[0] for pair in kept], [pair[1] for pair in kept]
        picked.append(candidates[likeness.index(min(likeness))])
    return picked


def alike(first: Attribute, second: Attribute) -> float:
    """How much two attributes say the same: the share of common words in their phrases."""
    return _overlap(frozenset(first.phrase.lower().split()), frozenset(second.phrase.lower().split()))


def _fits(candidate: Attribute, newest: Attribute) -> bool:
    same = candidate.id == newest.id and candidate.kwargs == newest.kwargs
    return not same and conflict((candidate.id, candidate.kwargs), (newest.id, newest.kwargs)) is None


def _overlap(first: frozenset[str], second: frozenset[str]) -> float:
    return len(first & second) / max(len(first | second), 1)


def attribute_problem(seed: int, index: int, pool: Sequence[Attribute], *, sizes: tuple[int, int] = SIZES) -> Problem:
    """Prompt `index` of the stream `seed`: a set of attributes that some text is to have. Pure in its arguments."""
    name = f"attributes-{seed}-{index}"
    rng = Random(name)
    return _problem(name, sample_attributes(pool, rng.randint(*sizes), rng), ())


def reconstruction_problem(
    seed: int, index: int, text: str, *, sizes: tuple[int, int] = SIZES, describe: Describe | None = None
) -> Problem:
    """A prompt that asks for a text with attributes of a given one, which becomes the reference.

    `describe` adds soft attributes, which no verifier decides: they stand in the prompt and in the column `soft`.
    Pure in its arguments if `describe` is.
    """
    name = f"reconstruction-{seed}-{index}"
    rng = Random(name)
    found = hard_attributes(text)
    chosen = rng.sample(found, min(rng.randint(*sizes), len(found)))
    return _problem(name, chosen, () if describe is None else tuple(describe(text)), reference=text)


def _problem(name: str, hard: Sequence[Attribute], soft: Sequence[str], *, reference: str | None = None) -> Problem:
    phrases = [*(attribute.phrase for attribute in hard), *soft]
    content, spans = write_prompt(REQUEST, phrases, pattern="listing", rng=Random(name))
    specs = [
        ConstraintSpec(id=one.id, kwargs=one.kwargs, text=content[slice(*span)], spans=(span,))
        for one, span in zip(hard, spans, strict=False)
    ]
    described = [{"text": text, "spans": [list(span)]} for text, span in zip(soft, spans[len(hard) :], strict=True)]
    return Problem(
        problem_id=name,
        messages=({"role": "user", "content": content},),
        constraints=tuple(specs),
        reference=reference,
        task="reconstruction" if reference is not None else "attributes",
        extras={"pattern": "listing", "soft": described},
    )
