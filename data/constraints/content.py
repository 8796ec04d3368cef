"""Content constraints: beginnings, endings, marks, letters and other pieces of an answer."""

from random import Random
from typing import Any

from data.constraints.taxonomy import Arguments, Kind, count, counting, drawn_from, fixed, naming, own_word, quoted
from data.instructions import Instruction

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
DELIMITERS = (("[", "]"), ("<<", ">>"), ("***", "***"), ("(", ")"))


def _delimiters(rng: Random, instruction: Instruction) -> dict[str, Any]:
    opening, closing = rng.choice(DELIMITERS)
    return {"opening": opening, "closing": closing}


def _mark_frequency(rng: Random, instruction: Instruction) -> dict[str, Any]:
    return {"mark": rng.choice(("!", "?", ";", ":")), "frequency": rng.randint(1, 2), "relation": "at least"}


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
    named = quoted([kwargs.get("end_phrase") or kwargs["phrase"]])
    return [f"finish with the exact phrase {named}", f"end your answer with {named}", f"close with the words {named}"]


def _say_postscript(kwargs: Arguments) -> list[str]:
    marker = kwargs["postscript_marker"]
    return [
        f"add a postscript that starts with {marker}",
        f"end with a short note after {marker}",
        f"include a line that begins with {marker}",
    ]


def _say_mark_frequency(kwargs: Arguments) -> list[str]:
    times = f"{kwargs['relation']} {count(kwargs['frequency'], 'time')}"
    named = quoted([kwargs["mark"]])
    return [f"use the mark {named} {times}", f"write {named} {times}", f"let the mark {named} appear {times}"]


EDGES = (
    Kind(
        id="content:ends_with_mark",
        category="content",
        draw=drawn_from("mark", tuple(MARKS)),
        say=_say_ending_mark,
        short=True,
    ),
    Kind(
        id="content:starts_with",
        category="content",
        draw=drawn_from("phrase", OPENINGS),
        say=_say_opening,
        short=True,
    ),
    Kind(
        id="startend:end_checker",
        category="content",
        draw=drawn_from("end_phrase", CLOSINGS),
        say=_say_closing,
        short=True,
    ),
    Kind(id="content:ends_with", category="content", draw=drawn_from("phrase", CLOSINGS), say=_say_closing),
    fixed(
        "startend:quotation",
        "content",
        "wrap your whole answer in double quotation marks",
        'put the entire answer between " and "',
        "enclose everything you write in double quotes",
        short=True,
    ),
    Kind(
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
    Kind(
        id="content:exclude_mark",
        category="content",
        draw=drawn_from("mark", tuple(EXCLUDED_MARKS)),
        say=_say_excluded_mark,
        short=True,
    ),
    Kind(id="punctuation:mark_frequency", category="content", draw=_mark_frequency, say=_say_mark_frequency),
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
    counting("punctuation:parentheses", "content", "num_parentheses", "remark of yours in round brackets", numbers=(1, 2)),
    counting("punctuation:questions", "content", "num_questions", "question", numbers=(1, 2)),
    counting("punctuation:quotations", "content", "num_quotations", "quotation", numbers=(1, 2), where=" in double quotes"),
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
PIECES = (
    naming(
        "detectable_content:number_placeholders",
        "content",
        drawn_from("num_placeholders", (2, 3)),
        "use at least {num_placeholders} placeholders in square brackets, such as [name]",
        "include {num_placeholders} or more placeholders like [address]",
        "leave at least {num_placeholders} blanks such as [date] to fill in",
    ),
    counting("content:numbers", "content", "num_numbers", "number", numbers=(1, 3), where=" in digits"),
    counting("content:emojis", "content", "num_emojis", "emoji", numbers=(1, 3)),
    counting("content:links", "content", "num_links", "web address", numbers=(1, 2), where=" beginning with https://"),
    naming(
        "content:dates",
        "content",
        lambda rng, instruction: {
            "style": rng.choice(("YYYY-MM-DD", "DD.MM.YYYY", "Month D, YYYY")),
            "num_dates": 1,
            "relation": "at least",
        },
        "include {relation} {num_dates} date written as {style}",
        "mention {relation} {num_dates} date in the form {style}",
        "use {relation} {num_dates} date, styled {style}",
    ),
    fixed("content:no_digits", "content", "use no digits", "avoid digits", "write all numbers in words"),
    fixed(
        "content:ascii_only",
        "content",
        "use plain ASCII characters only",
        "avoid every character outside ASCII",
        "keep to ASCII characters",
    ),
    fixed(
        "combination:two_responses",
        "content",
        "give two different answers divided by ******",
        "write two answers with ****** between them",
        "offer two responses and put six asterisks ****** between them",
    ),
    naming(
        "combination:parts",
        "content",
        lambda rng, instruction: {"divider": rng.choice(("---", "+++", "###")), "num_parts": rng.randint(2, 3)},
        "write {num_parts} different parts divided by {divider}",
        "split your answer into {num_parts} parts with {divider} between them",
        "give {num_parts} parts, divided by {divider}",
    ),
    fixed(
        "combination:no_repeated_sentence",
        "content",
        "repeat no sentence",
        "let every sentence be a new one",
        "avoid saying a sentence twice",
    ),
    naming(
        "combination:repeat_prompt",
        "content",
        lambda rng, instruction: {"prompt_to_repeat": instruction.text},
        "first repeat '{prompt_to_repeat}' word for word, then answer",
        "begin by repeating '{prompt_to_repeat}' without change",
        "open with the words '{prompt_to_repeat}', then give your answer",
    ),
)
KINDS = (*EDGES, *MARKED, *LETTERS, *PIECES)
