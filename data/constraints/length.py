"""Length constraints: how many words, sentences and paragraphs an answer has."""

from random import Random
from typing import Any

from data.constraints.taxonomy import Arguments, Kind, count
from data.instructions import Instruction


def _word_range(rng: Random, instruction: Instruction) -> dict[str, Any]:
    minimum = rng.randint(5, 12)
    return {"minimum": minimum, "maximum": minimum + rng.randint(8, 16)}


def _sentence_range(rng: Random, instruction: Instruction) -> dict[str, Any]:
    minimum = rng.randint(1, 2)
    return {"minimum": minimum, "maximum": minimum + rng.randint(0, 1)}


def _sentence_bound(rng: Random, instruction: Instruction) -> dict[str, Any]:
    relation = rng.choice(("at least", "less than"))
    return {"num_sentences": 2 if relation == "at least" else rng.randint(2, 3), "relation": relation}


def _say_range(kwargs: Arguments, noun: str) -> list[str]:
    low, high = kwargs["minimum"], kwargs["maximum"]
    if low == high:
        return [f"write exactly {count(low, noun)}", f"use exactly {count(low, noun)}", f"answer in exactly {count(low, noun)}"]
    return [
        f"write between {low} and {high} {noun}s",
        f"use at least {low} and at most {high} {noun}s",
        f"answer in {low} to {high} {noun}s",
    ]


def _say_bound(kwargs: Arguments, key: str, noun: str) -> list[str]:
    relation = "fewer than" if kwargs["relation"] == "less than" else kwargs["relation"]
    amount = f"{relation} {count(kwargs[key], noun)}"
    return [f"write {amount}", f"use {amount}", f"answer in {amount}"]


KINDS = (
    Kind(
        id="length:word_range",
        category="length",
        draw=_word_range,
        say=lambda kwargs: _say_range(kwargs, "word"),
        short=True,
    ),
    Kind(
        id="length:sentence_range",
        category="length",
        draw=_sentence_range,
        say=lambda kwargs: _say_range(kwargs, "sentence"),
        short=True,
    ),
    Kind(
        id="length_constraints:number_sentences",
        category="length",
        draw=_sentence_bound,
        say=lambda kwargs: _say_bound(kwargs, "num_sentences", "sentence"),
        short=True,
    ),
)
