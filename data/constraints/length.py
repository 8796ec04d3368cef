"""Length constraint kinds: the number of words, sentences, lines and paragraphs of an answer and its parts."""

from random import Random
from typing import Any

from data.constraints.taxonomy import (
    Arguments,
    ConstraintKind,
    Draw,
    count_phrase,
    counting_kind,
    fixed_kind,
    relation_phrase,
    template_kind,
)
from data.instructions import Instruction


def _draw_range(lowest: tuple[int, int], width: tuple[int, int]) -> Draw:
    def draw(rng: Random, instruction: Instruction) -> dict[str, Any]:
        minimum = rng.randint(*lowest)
        return {"minimum": minimum, "maximum": minimum + rng.randint(*width)}

    return draw


def _sentence_bound(rng: Random, instruction: Instruction) -> dict[str, Any]:
    relation = rng.choice(("at least", "less than"))
    return {"num_sentences": 2 if relation == "at least" else rng.randint(2, 3), "relation": relation}


def _word_bound(rng: Random, instruction: Instruction) -> dict[str, Any]:
    relation = rng.choice(("at least", "less than", "at most"))
    return {"num_words": rng.choice((10, 15, 20) if relation == "at least" else (20, 30, 50)), "relation": relation}


def _first_word(rng: Random, instruction: Instruction) -> dict[str, Any]:
    number = rng.randint(2, 3)
    return {
        "num_paragraphs": number,
        "nth_paragraph": rng.randint(1, number),
        "first_word": rng.choice(instruction.words),
    }


def _range_phrasings(noun: str):
    def phrasings(kwargs: Arguments) -> list[str]:
        low, high = kwargs["minimum"], kwargs["maximum"]
        if low == high:
            return [f"{verb} exactly {count_phrase(low, noun)}" for verb in ("write", "use", "answer in")]
        if low <= 1:
            return [f"{verb} at most {count_phrase(high, noun)}" for verb in ("write", "use", "answer in")]
        if high >= NO_LIMIT:
            return [f"{verb} at least {count_phrase(low, noun)}" for verb in ("write", "use", "answer in")]
        return [
            f"write between {low} and {high} {noun}s",
            f"use at least {low} and at most {high} {noun}s",
            f"answer in {low} to {high} {noun}s",
        ]

    return phrasings


def _bound_phrasings(key: str, noun: str):
    def phrasings(kwargs: Arguments) -> list[str]:
        amount = relation_phrase(kwargs["relation"], kwargs[key], noun)
        return [f"write {amount}", f"use {amount}", f"answer in {amount}"]

    return phrasings


NO_LIMIT = 10**6
"""A maximum that stands for no limit."""


def _range_kind(noun: str, draw: Draw, *, short: bool = False) -> ConstraintKind:
    return ConstraintKind(
        id=f"length:{noun}_range", category="length", draw=draw, phrasings=_range_phrasings(noun), short=short
    )


def _per_part_kind(part: str, noun: str, numbers: tuple[int, int]) -> ConstraintKind:
    return counting_kind(
        f"length:{noun}s_per_{part}",
        "length",
        f"num_{noun}s",
        noun,
        numbers=numbers,
        relations=("at least", "at most"),
        where=f" in every {PART_NAMES.get(part, part)}",
    )


PART_NAMES = {"item": "item of a list", "cell": "cell of a table", "heading": "heading you give"}

WHOLE = (
    _range_kind("word", _draw_range((6, 12), (4, 10)), short=True),
    _range_kind("sentence", _draw_range((1, 2), (0, 1)), short=True),
    ConstraintKind(
        id="length_constraints:number_sentences",
        category="length",
        draw=_sentence_bound,
        phrasings=_bound_phrasings("num_sentences", "sentence"),
        short=True,
    ),
    ConstraintKind(
        id="length_constraints:number_words",
        category="length",
        draw=_word_bound,
        phrasings=_bound_phrasings("num_words", "word"),
    ),
    _range_kind("character", _draw_range((40, 80), (60, 120))),
    _range_kind("line", _draw_range((2, 3), (0, 2))),
    _range_kind("paragraph", _draw_range((1, 2), (0, 1))),
    counting_kind(
        "length:distinct_words",
        "length",
        "num_words",
        "different word",
        numbers=(10, 20),
        relations=("at least", "at most"),
    ),
    template_kind(
        "length_constraints:number_paragraphs",
        "length",
        lambda rng, instruction: {"num_paragraphs": rng.randint(2, 3)},
        "write {num_paragraphs} paragraphs divided by ***",
        "use {num_paragraphs} paragraphs with *** between them",
        "answer in {num_paragraphs} paragraphs, divided by three asterisks ***",
    ),
    template_kind(
        "length_constraints:nth_paragraph_first_word",
        "length",
        _first_word,
        "write {num_paragraphs} paragraphs divided by empty lines, number {nth_paragraph} starting with '{first_word}'",
        "use {num_paragraphs} paragraphs, empty lines between, and begin number {nth_paragraph} with '{first_word}'",
        "answer in {num_paragraphs} paragraphs; let paragraph {nth_paragraph} start with '{first_word}'",
    ),
)
PARTS = (
    _per_part_kind("sentence", "word", (4, 12)),
    _per_part_kind("paragraph", "word", (8, 30)),
    _per_part_kind("line", "word", (4, 12)),
    _per_part_kind("item", "word", (2, 5)),
    _per_part_kind("heading", "word", (2, 4)),
    _per_part_kind("paragraph", "sentence", (1, 2)),
    counting_kind(
        "length:letters_per_word",
        "length",
        "num_letters",
        "letter",
        numbers=(7, 9),
        relations=("at most",),
        where=" in every word",
    ),
    fixed_kind(
        "length:growing_sentences",
        "length",
        "make each sentence longer than the one before, with two sentences or more",
        "write two or more sentences, each with more words than the last",
        "let your sentences, at least two, grow in words",
    ),
)
KINDS = (*WHOLE, *PARTS)
