"""Mark and letter constraint kinds: which marks and letters an answer uses, how often, and which it avoids."""

from random import Random
from typing import Any

from data.constraints.taxonomy import (
    Arguments,
    ConstraintKind,
    count_phrase,
    counting_kind,
    draw_choice,
    fixed_kind,
    quoted_list,
    template_kind,
)
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


def _excluded_mark_phrasings(kwargs: Arguments) -> list[str]:
    mark = f"{EXCLUDED_MARKS.get(kwargs['mark'], 'the mark')} ({kwargs['mark']})"
    return [f"avoid {mark}", f"leave out {mark}", f"write without {mark}"]


def _mark_frequency_phrasings(kwargs: Arguments) -> list[str]:
    times = f"{kwargs['relation']} {count_phrase(kwargs['frequency'], 'time')}"
    quoted = quoted_list([kwargs["mark"]])
    return [f"use the mark {quoted} {times}", f"write {quoted} {times}", f"let the mark {quoted} appear {times}"]


MARKED = (
    fixed_kind(
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
        draw=draw_choice("mark", tuple(EXCLUDED_MARKS)),
        phrasings=_excluded_mark_phrasings,
        short=True,
    ),
    ConstraintKind(
        id="punctuation:mark_frequency", category="content", draw=_mark_frequency, phrasings=_mark_frequency_phrasings
    ),
    template_kind(
        "punctuation:only_marks",
        "content",
        draw_choice("marks", (".", ".!", ".?")),
        "use only the marks '{marks}' as punctuation",
        "limit your punctuation to the marks '{marks}'",
        "write with '{marks}' as the only punctuation marks",
    ),
    template_kind(
        "punctuation:sentence_mark",
        "content",
        draw_choice("mark", (".", "!", "?")),
        "end every sentence with the mark '{mark}'",
        "finish each sentence with '{mark}'",
        "let all sentences close with '{mark}'",
    ),
    counting_kind(
        "punctuation:parentheses", "content", "num_parentheses", "remark of yours in round brackets", numbers=(1, 2)
    ),
    counting_kind("punctuation:questions", "content", "num_questions", "question", numbers=(1, 2)),
    counting_kind(
        "punctuation:quotations", "content", "num_quotations", "quotation", numbers=(1, 2), where=" in double quotes"
    ),
    fixed_kind(
        "punctuation:balanced",
        "content",
        "close every bracket you open",
        "keep all brackets and curly quotes in pairs",
        "leave no bracket without its partner",
    ),
)
LETTERS = (
    template_kind(
        "content:exclude_letter",
        "content",
        draw_choice("letter", "jkqvxz"),
        "avoid the letter '{letter}'",
        "write without the letter '{letter}'",
        "leave out the letter '{letter}' altogether",
    ),
    template_kind(
        "letters:acrostic",
        "content",
        draw_choice("word", ("sun", "red", "joy", "hope", "art")),
        "let the first letters of your lines spell '{word}'",
        "write an acrostic of '{word}', one line a letter",
        "start your lines with the letters of '{word}', in order",
    ),
    template_kind(
        "letters:alliteration",
        "content",
        draw_choice("num_words", (3, 4)),
        "use {num_words} words in a row that begin with the same letter",
        "include an alliteration of {num_words} words",
        "let {num_words} neighbouring words share their first letter",
    ),
    fixed_kind(
        "letters:alphabetical_sentences",
        "content",
        "let the first letters of your sentences, two or more, follow the alphabet",
        "write two or more sentences whose first letters are in alphabetical order",
        "order your sentences, at least two, by their first letters",
    ),
    counting_kind(
        "letters:palindromes",
        "content",
        "num_palindromes",
        "palindrome",
        numbers=(1, 2),
        relations=("at least",),
        where=" such as 'level'",
    ),
    *(
        template_kind(
            f"letters:{part}_initial",
            "content",
            draw_choice("letter", letters),
            f"begin every {part} with the letter '{{letter}}'",
            f"let each {part} start with '{{letter}}'",
            f"start all {part}s with the letter '{{letter}}'",
        )
        for part, letters in (("sentence", "abstw"), ("line", "abstw"), ("word", "st"))
    ),
)
KINDS = (*MARKED, *LETTERS)
