"""Constraints on the edges: how an answer begins, how it ends, and what it stands between."""

from random import Random
from typing import Any

from data.constraints.taxonomy import Arguments, ConstraintKind, drawn_from, fixed, naming, own_word, quoted
from data.instructions import Instruction

MARKS = {"!": "an exclamation mark", "?": "a question mark", ".": "a full stop"}
OPENINGS = ("Well", "I think", "In short", "Once", "Of course", "Today", "Let me", "First", "Many people", "For me")
CLOSINGS = (
    "That is all.",
    "I hope this helps.",
    "The end.",
    "Thank you.",
    "See you soon.",
    "Good luck!",
    "Any questions?",
)
DELIMITERS = (("[", "]"), ("<<", ">>"), ("***", "***"), ("(", ")"))


def _delimiters(rng: Random, instruction: Instruction) -> dict[str, Any]:
    opening, closing = rng.choice(DELIMITERS)
    return {"opening": opening, "closing": closing}


def _say_ending_mark(kwargs: Arguments) -> list[str]:
    mark = f"{MARKS.get(kwargs['mark'], 'the mark')} ({kwargs['mark']})"
    return [f"end with {mark}", f"finish your answer with {mark}", f"put {mark} at the very end"]


def _say_opening(kwargs: Arguments) -> list[str]:
    named = quoted([kwargs["phrase"]])
    return [f"begin with {named}", f"start your answer with {named}", f"open with the words {named}"]


def _say_closing(kwargs: Arguments) -> list[str]:
    named = quoted([kwargs.get("end_phrase") or kwargs["phrase"]])
    return [f"finish with the exact phrase {named}", f"end your answer with {named}", f"close with the words {named}"]


def _say_postscript(kwargs: Arguments) -> list[str]:
    marker = kwargs["postscript_marker"]
    return [
        f"add a postscript that starts with {marker}",
        f"end with a short note after {marker}",
        f"include a line that begins with {marker}",
    ]


KINDS = (
    ConstraintKind(
        id="content:ends_with_mark",
        category="content",
        draw=drawn_from("mark", tuple(MARKS)),
        say=_say_ending_mark,
        short=True,
    ),
    ConstraintKind(
        id="content:starts_with",
        category="content",
        draw=drawn_from("phrase", OPENINGS),
        say=_say_opening,
        short=True,
    ),
    ConstraintKind(
        id="startend:end_checker",
        category="content",
        draw=drawn_from("end_phrase", CLOSINGS),
        say=_say_closing,
        short=True,
    ),
    ConstraintKind(id="content:ends_with", category="content", draw=drawn_from("phrase", CLOSINGS), say=_say_closing),
    fixed(
        "startend:quotation",
        "content",
        "wrap your whole answer in double quotation marks",
        'put the entire answer between " and "',
        "enclose everything you write in double quotes",
        short=True,
    ),
    ConstraintKind(
        id="detectable_content:postscript",
        category="content",
        draw=drawn_from("postscript_marker", ("P.S.", "P.P.S")),
        say=_say_postscript,
        short=True,
    ),
    naming(
        "content:delimited",
        "content",
        _delimiters,
        "put your whole answer between {opening} and {closing}",
        "start with {opening} and end with {closing}",
        "enclose everything you write in {opening} and {closing}",
    ),
    naming(
        "startend:first_word",
        "content",
        own_word("word"),
        "make '{word}' your first word",
        "begin with the word '{word}'",
        "let the first word be '{word}'",
    ),
    naming(
        "startend:last_word",
        "content",
        own_word("word"),
        "make '{word}' your last word",
        "end with the word '{word}'",
        "let the last word be '{word}'",
    ),
    fixed(
        "startend:same_first_and_last_word",
        "content",
        "start and end with the same word",
        "use one word both first and last",
        "let your last word be your first one again",
    ),
    naming(
        "startend:each_line_starts",
        "content",
        drawn_from("prefix", ("> ", "- ", "# ", "~ ")),
        "start each line with '{prefix}'",
        "put '{prefix}' at the start of every line",
        "let every line begin with '{prefix}'",
    ),
)
