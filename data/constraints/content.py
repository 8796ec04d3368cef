"""Content constraints: which words, letters, marks, beginnings and endings an answer has."""

from random import Random
from typing import Any

from data.constraints.taxonomy import Arguments, Kind, always, count, nothing, quoted
from data.instructions import Instruction

COMMON_LETTERS = "bcdfghklmpuwy"
MARKS = {"!": "an exclamation mark", "?": "a question mark", ".": "a full stop"}
EXCLUDED_MARKS = {
    "!": "exclamation marks",
    "?": "question marks",
    ";": "semicolons",
    ":": "colons",
    "-": "hyphens",
    "(": "opening brackets",
    "'": "apostrophes",
    ".": "full stops",
}
OPENINGS = ("Well", "I think", "In short", "Once", "Of course", "Today", "Let me", "First", "Many people", "For me")
CLOSINGS = ("That is all.", "I hope this helps.", "The end.", "Thank you.", "See you soon.", "Good luck!", "Any questions?")


def _one_word(rng: Random, instruction: Instruction) -> dict[str, Any]:
    return {"keywords": [rng.choice(instruction.words)]}


def _forbidden(rng: Random, instruction: Instruction) -> dict[str, Any]:
    return {"forbidden_words": rng.sample(instruction.words, rng.randint(1, 2))}


def _frequency(rng: Random, instruction: Instruction) -> dict[str, Any]:
    return {"keyword": rng.choice(instruction.words), "frequency": 2, "relation": "at least"}


def _letters(rng: Random, instruction: Instruction) -> dict[str, Any]:
    relation, most = rng.choice((("at least", 5), ("less than", 4)))
    return {"letter": rng.choice(COMMON_LETTERS), "let_frequency": rng.randint(2, most), "let_relation": relation}


def _say_words(kwargs: Arguments) -> list[str]:
    words = kwargs["keywords"]
    noun = "word" if len(words) == 1 else "words"
    named = quoted(words)
    return [f"include the {noun} {named}", f"use the {noun} {named} in your answer", f"mention {named}"]


def _say_forbidden(kwargs: Arguments) -> list[str]:
    words = kwargs["forbidden_words"]
    noun = "word" if len(words) == 1 else "words"
    named = quoted(words)
    return [f"avoid the {noun} {named}", f"leave out the {noun} {named}", f"answer without the {noun} {named}"]


def _say_frequency(kwargs: Arguments) -> list[str]:
    times = f"{kwargs['relation']} {count(kwargs['frequency'], 'time')}"
    named = quoted([kwargs["keyword"]])
    return [f"use the word {named} {times}", f"repeat {named} {times}", f"let the word {named} appear {times}"]


def _say_letters(kwargs: Arguments) -> list[str]:
    times = f"{kwargs['let_relation']} {count(kwargs['let_frequency'], 'time')}"
    named = quoted([kwargs["letter"]])
    return [f"use the letter {named} {times}", f"write the letter {named} {times}", f"have {named} as a letter {times}"]


def _say_ending_mark(kwargs: Arguments) -> list[str]:
    mark = f"{MARKS.get(kwargs['mark'], 'the mark')} ({kwargs['mark']})"
    return [f"end with {mark}", f"finish your answer with {mark}", f"put {mark} at the very end"]


def _say_excluded_mark(kwargs: Arguments) -> list[str]:
    mark = f"{EXCLUDED_MARKS.get(kwargs['mark'], 'the mark')} ({kwargs['mark']})"
    return [f"avoid {mark}", f"leave out {mark}", f"write without {mark}"]


def _say_opening(kwargs: Arguments) -> list[str]:
    named = quoted([kwargs["phrase"]])
    return [f"begin with {named}", f"start your answer with {named}", f"open with the words {named}"]


def _say_closing(kwargs: Arguments) -> list[str]:
    named = quoted([kwargs["end_phrase"]])
    return [f"finish with the exact phrase {named}", f"end your answer with {named}", f"close with the words {named}"]


def _say_postscript(kwargs: Arguments) -> list[str]:
    marker = kwargs["postscript_marker"]
    return [
        f"add a postscript that starts with {marker}",
        f"end with a short note after {marker}",
        f"include a line that begins with {marker}",
    ]


KINDS = (
    Kind(id="keywords:existence", category="content", draw=_one_word, say=_say_words, short=True),
    Kind(id="keywords:forbidden_words", category="content", draw=_forbidden, say=_say_forbidden, short=True),
    Kind(id="keywords:frequency", category="content", draw=_frequency, say=_say_frequency, short=True),
    Kind(id="keywords:letter_frequency", category="content", draw=_letters, say=_say_letters, short=True),
    Kind(
        id="punctuation:no_comma",
        category="content",
        draw=nothing,
        say=always("avoid commas", "use no commas", "write without any commas", "leave out all commas"),
        short=True,
    ),
    Kind(
        id="content:ends_with_mark",
        category="content",
        draw=lambda rng, instruction: {"mark": rng.choice(tuple(MARKS))},
        say=_say_ending_mark,
        short=True,
    ),
    Kind(
        id="content:exclude_mark",
        category="content",
        draw=lambda rng, instruction: {"mark": rng.choice(tuple(EXCLUDED_MARKS))},
        say=_say_excluded_mark,
        short=True,
    ),
    Kind(
        id="content:starts_with",
        category="content",
        draw=lambda rng, instruction: {"phrase": rng.choice(OPENINGS)},
        say=_say_opening,
        short=True,
    ),
    Kind(
        id="startend:end_checker",
        category="content",
        draw=lambda rng, instruction: {"end_phrase": rng.choice(CLOSINGS)},
        say=_say_closing,
        short=True,
    ),
    Kind(
        id="startend:quotation",
        category="content",
        draw=nothing,
        say=always(
            "wrap your whole answer in double quotation marks",
            'put the entire answer between " and "',
            "enclose everything you write in double quotes",
        ),
        short=True,
    ),
    Kind(
        id="detectable_content:postscript",
        category="content",
        draw=lambda rng, instruction: {"postscript_marker": rng.choice(("P.S.", "P.P.S"))},
        say=_say_postscript,
        short=True,
    ),
)
