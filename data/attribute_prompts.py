"""Attribute prompts: prompts that require one text to have many attributes that fit together."""

from collections.abc import Callable, Sequence
from random import Random

from data.attributes import Attribute, hard_attributes
from data.conflicts import conflict
from data.problems import ConstraintSpec, Problem
from data.prompt_templates import write_prompt
from rewards.errors import InputError

SIZES = (3, 45)
"""Smallest and largest number of attributes of a prompt (UltraGen, arXiv 2502.12375, uses about 45)."""

MAX_CANDIDATES = 1024
"""Attributes considered for one set, those of the most related texts first."""

REQUEST = "Write a text with all of these properties."

Describe = Callable[[str], Sequence[str]]
"""Returns what a language model says about a text, one attribute a line."""


def sample_attributes(pool: Sequence[Attribute], size: int, rng: Random) -> list[Attribute]:
    """Return `size` attributes that fit together, do not repeat each other and do not conflict; fewer if none is left.

    The first attribute is drawn at random; the attributes of the most related texts are candidates. Each further pick
    is the candidate whose greatest overlap with those already picked is smallest. (UltraGen minimises the smallest
    overlap instead, which admits an attribute that repeats one and is far from another.)
    """
    if not SIZES[0] <= size <= SIZES[1]:
        raise InputError(f"the size of an attribute set must be between {SIZES[0]} and {SIZES[1]}, got {size}")
    if not pool:
        raise InputError("no attributes to sample from")
    first = rng.choice(pool)
    shuffled = rng.sample(list(pool), len(pool))
    candidates = sorted(shuffled, key=lambda one: _overlap(one.topic, first.topic), reverse=True)[:MAX_CANDIDATES]
    picked, overlap = [first], [0.0] * len(candidates)
    while len(picked) < size:
        newest = picked[-1]
        overlap = [
            max(overlap_so_far, phrase_overlap(one, newest))
            for overlap_so_far, one in zip(overlap, candidates, strict=True)
        ]
        compatible = [pair for pair in zip(overlap, candidates, strict=True) if _fits(pair[1], newest)]
        if not compatible:
            break
        overlap, candidates = [pair[0] for pair in compatible], [pair[1] for pair in compatible]
        picked.append(candidates[overlap.index(min(overlap))])
    return picked


def phrase_overlap(first: Attribute, second: Attribute) -> float:
    """Return the share of common words in the phrases of two attributes."""
    return _overlap(frozenset(first.phrase.lower().split()), frozenset(second.phrase.lower().split()))


def _fits(candidate: Attribute, newest: Attribute) -> bool:
    same = candidate.id == newest.id and candidate.kwargs == newest.kwargs
    return not same and conflict((candidate.id, candidate.kwargs), (newest.id, newest.kwargs)) is None


def _overlap(first: frozenset[str], second: frozenset[str]) -> float:
    return len(first & second) / max(len(first | second), 1)


def attribute_problem(seed: int, index: int, pool: Sequence[Attribute], *, sizes: tuple[int, int] = SIZES) -> Problem:
    """Return prompt `index` of the stream `seed`, which requires a set of attributes. A pure function."""
    name = f"attributes-{seed}-{index}"
    rng = Random(name)
    return _problem(name, sample_attributes(pool, rng.randint(*sizes), rng), ())


def reconstruction_problem(
    seed: int, index: int, text: str, *, sizes: tuple[int, int] = SIZES, describe: Describe | None = None
) -> Problem:
    """Return a prompt that requires attributes of a given text, which becomes the reference.

    `describe` adds soft attributes, which no verifier decides: they stand in the prompt and in the column `soft`. A
    pure function of its arguments if `describe` is one.
    """
    name = f"reconstruction-{seed}-{index}"
    rng = Random(name)
    attributes = hard_attributes(text)
    chosen = rng.sample(attributes, min(rng.randint(*sizes), len(attributes)))
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
