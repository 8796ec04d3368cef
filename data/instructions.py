"""Base instructions: hand-written requests that a small chat model can answer in one to three sentences."""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal

Split = Literal["train", "held_out"]

HELD_OUT_EVERY = 3
"""Every third instruction of the file is held out, whatever the seed, so no run ever trains on it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Instruction:
    """A request and three easy words on its topic, none of which it contains.

    Example:
        Instruction(text="What happens when ice melts?", words=("water", "heat", "solid"))
    """

    text: str
    words: tuple[str, ...]


@cache
def instructions(split: Split) -> tuple[Instruction, ...]:
    """Return all base instructions of one split, in the order of the file."""
    held_out = {"train": False, "held_out": True}[split]
    lines = files("data").joinpath("instructions.txt").read_text(encoding="utf-8").splitlines()
    return tuple(_parse(line) for number, line in enumerate(lines, 1) if (number % HELD_OUT_EVERY == 0) == held_out)


def _parse(line: str) -> Instruction:
    text, words = line.split("|")
    return Instruction(text=text.strip(), words=tuple(words.split()))
