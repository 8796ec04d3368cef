"""Constraints on marks and letters: which an answer uses, how often, and which it leaves out."""

from random import Random
from typing import Any

from data.constraints.taxonomy import Arguments, ConstraintKind, count, counting, drawn_from, fixed, naming, quoted
from data.instructions import Instruction

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


def _mark_frequency(rng: Random, instruction: Instruction) -> dict[str, Any]:
    return {"mark": rng.choice(("!", "?", ";", ":")), "frequency": rng.randint(1, 2), "relation": "at least"}


def _say_excluded_mark(kwargs: Arguments) -> list[str]:
    mark = f"{EXCLUDED_MARKS.get(kwargs['mark'], 'the mark')} ({kwargs['mark']})"
    return [f"avoid {mark}", f"leave out {mark}", f"write without {mark}"]


def _say_mark_frequency(kwargs: Arguments) -> list[str]:
    times = f"{kwargs['relation']} {count(kwargs['frequency'], 'time')}"
    named = quoted([kwargs["mark"]])
    return [f"use the mark {named} {times}", f"write {named} {times}", f"let the mark {named} appear {times}"]


MARKED = (
    fixed(
        "punctuation:no_comma",
        "content",
        "avoid commas",
        "use no commas",
        "write without any commas",
        "leave out all commas",
        short=True,
    ),
    ConstraintKind(
        id="content:exclude_mark",
        category="content",
        draw=drawn_from("mark", tuple(EXCLUDED_MARKS)),
        say=_say_excluded_mark,
        short=True,
    ),
    ConstraintKind(id="punctuation:mark_frequency", category="content", draw=_mark_frequency, say=_say_mark_frequency),
    naming(
        "punctuation:only_marks",
        "content",
        drawn_from("marks", (".", ".!", ".?")),
        "use only the marks '{marks}' as punctuation",
        "limit your punctuation to the marks '{marks}'",
        "write with '{marks}' as the only punctuation marks",
    ),
    naming(
        "punctuation:sentence_mark",
        "content",
        drawn_from("mark", (".", "!", "?")),
        "end every sentence with the mark '{mark}'",
        "finish each sentence with '{mark}'",
        "let all sentences close with '{mark}'",
    ),
    counting(
        "punctuation:parentheses", "content", "num_parentheses", "remark of yours in round brackets", numbers=(1, 2)
    ),
    counting("punctuation:questions", "content", "num_questions", "question", numbers=(1, 2)),
    counting(
        "punctuation:quotations", "content", "num_quotations", "quotation", numbers=(1, 2), where=" in double quotes"
    ),
    fixed(
        "punctuation:balanced",
        "content",
        "close every bracket you open",
        "keep all brackets and curly quotes in pairs",
        "leave no bracket without its partner",
    ),
)
LETTERS = (
    naming(
        "content:exclude_letter",
        "content",
        drawn_from("letter", "jkqvxz"),
        "avoid the letter '{letter}'",
        "write without the letter '{letter}'",
        "leave out the letter '{letter}' altogether",
    ),
    naming(
        "letters:acrostic",
        "content",
        drawn_from("word", ("sun", "red", "joy", "hope", "art")),
        "let the first letters of your lines spell '{word}'",
        "write an acrostic of '{word}', one line a letter",
        "start your lines with the letters of '{word}', in order",
    ),
    naming(
        "letters:alliteration",
        "content",
        drawn_from("num_words", (3, 4)),
        "use {num_words} words in a row that begin with the same letter",
        "include an alliteration of {num_words} words",
        "let {num_words} neighbouring words share their first letter",
    ),
    fixed(
        "letters:alphabetical_sentences",
        "content",
        "let the first letters of your sentences, two or more, follow the alphabet",
        "write two or more sentences whose first letters are in alphabetical order",
        "order your sentences, at least two, by their first letters",
    ),
    counting(
        "letters:palindromes",
        "content",
        "num_palindromes",
        "palindrome",
        numbers=(1, 2),
        relations=("at least",),
        where=" such as 'level'",
    ),
    *(
        naming(
            f"letters:{part}_initial",
            "content",
            drawn_from("letter", letters),
            f"begin every {part} with the letter '{{letter}}'",
            f"let each {part} start with '{{letter}}'",
            f"start all {part}s with the letter '{{letter}}'",
        )
        for part, letters in (("sentence", "abstw"), ("line", "abstw"), ("word", "st"))
    ),
)
KINDS = (*MARKED, *LETTERS)
