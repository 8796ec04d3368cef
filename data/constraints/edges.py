"""Edge constraint kinds: how an answer begins, how it ends, and what encloses it."""

from random import Random
from typing import Any

from data.constraints.taxonomy import (
    Arguments,
    ConstraintKind,
    draw_choice,
    fixed_kind,
    instruction_word,
    quoted_list,
    template_kind,
)
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


def _ending_mark_phrasings(kwargs: Arguments) -> list[str]:
    mark = f"{MARKS.get(kwargs['mark'], 'the mark')} ({kwargs['mark']})"
    return [f"end with {mark}", f"finish your answer with {mark}", f"put {mark} at the very end"]


def _opening_phrasings(kwargs: Arguments) -> list[str]:
    quoted = quoted_list([kwargs["phrase"]])
    return [f"begin with {quoted}", f"start your answer with {quoted}", f"open with the words {quoted}"]


def _closing_phrasings(kwargs: Arguments) -> list[str]:
    quoted = quoted_list([kwargs.get("end_phrase") or kwargs["phrase"]])
    return [
        f"finish with the exact phrase {quoted}",
        f"end your answer with {quoted}",
        f"close with the words {quoted}",
    ]


def _postscript_phrasings(kwargs: Arguments) -> list[str]:
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
        draw=draw_choice("mark", tuple(MARKS)),
        phrasings=_ending_mark_phrasings,
        short=True,
    ),
    ConstraintKind(
        id="content:starts_with",
        category="content",
        draw=draw_choice("phrase", OPENINGS),
        phrasings=_opening_phrasings,
        short=True,
    ),
    ConstraintKind(
        id="startend:end_checker",
        category="content",
        draw=draw_choice("end_phrase", CLOSINGS),
        phrasings=_closing_phrasings,
        short=True,
    ),
    ConstraintKind(
        id="content:ends_with", category="content", draw=draw_choice("phrase", CLOSINGS), phrasings=_closing_phrasings
    ),
    fixed_kind(
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
        draw=draw_choice("postscript_marker", ("P.S.", "P.P.S")),
        phrasings=_postscript_phrasings,
        short=True,
    ),
    template_kind(
        "content:delimited",
        "content",
        _delimiters,
        "put your whole answer between {opening} and {closing}",
        "start with {opening} and end with {closing}",
        "enclose everything you write in {opening} and {closing}",
    ),
    template_kind(
        "startend:first_word",
        "content",
        instruction_word("word"),
        "make '{word}' your first word",
        "begin with the word '{word}'",
        "let the first word be '{word}'",
    ),
    template_kind(
        "startend:last_word",
        "content",
        instruction_word("word"),
        "make '{word}' your last word",
        "end with the word '{word}'",
        "let the last word be '{word}'",
    ),
    fixed_kind(
        "startend:same_first_and_last_word",
        "content",
        "start and end with the same word",
        "use one word both first and last",
        "let your last word be your first one again",
    ),
    template_kind(
        "startend:each_line_starts",
        "content",
        draw_choice("prefix", ("> ", "- ", "# ", "~ ")),
        "start each line with '{prefix}'",
        "put '{prefix}' at the start of every line",
        "let every line begin with '{prefix}'",
    ),
)
