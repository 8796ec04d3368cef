"""Conflicts: pairs of constraints that no answer can satisfy together, or only in an unintended way."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from data import answer_regions as regions
from data.problems import Arguments, Constraint


@dataclass(frozen=True, slots=True)
class ConflictRule:
    """Two sets of kinds, and when a member of the first conflicts with a member of the second."""

    first: frozenset[str]
    second: frozenset[str]
    reason: str
    conflicts: Callable[[Arguments, Arguments], bool] = lambda first, second: True


def conflict(first: Constraint, second: Constraint) -> str | None:
    """Return why two constraints must not stand in one prompt; None if they may."""
    if first[0] == second[0] and _subject(*first) == _subject(*second):
        return "the same rule twice"
    for rule in RULES:
        for one, other in ((first, second), (second, first)):
            if one[0] in rule.first and other[0] in rule.second and rule.conflicts(one[1], other[1]):
                return rule.reason
    return None


SUBJECTS = {
    "keywords:existence": "keywords",
    "keywords:forbidden_words": "forbidden_words",
    "keywords:frequency": "keyword",
    "keywords:letter_frequency": "letter",
    "content:keyword_range": "keyword",
    "content:exclude_mark": "mark",
    "content:exclude_letter": "letter",
}
"""Kinds that a prompt may have several of, as long as they are about different words, letters or marks."""


def _subject(kind: str, kwargs: Arguments) -> Any:
    return kwargs[SUBJECTS[kind]] if kind in SUBJECTS else None


def _fixed_text(kwargs: Arguments) -> str:
    """Return the characters a constraint forces into the answer: its phrase, marker or keywords."""
    words = [*kwargs.get("keywords", ()), *(kwargs[key] for key in ("keyword", *_PHRASES) if key in kwargs)]
    return " ".join(words)


_PHRASES = ("phrase", "end_phrase", "postscript_marker", "mark", "word", "first_word", "text", "prompt_to_repeat")


def _forbids_forced(forbidding: Arguments, forcing: Arguments) -> bool:
    text = _fixed_text(forcing)
    return any(re.search(rf"\b{re.escape(word)}\b", text, re.IGNORECASE) for word in forbidding["forbidden_words"])


def _excludes_forced(excluding: Arguments, forcing: Arguments) -> bool:
    excluded = excluding.get("mark") or excluding["letter"]
    return excluded.lower() in _fixed_text(forcing).lower()


def _has_digits(excluding: Arguments, forcing: Arguments) -> bool:
    return any(character.isdigit() for character in _fixed_text(forcing))


def _excess_letters(limiting: Arguments, forcing: Arguments) -> bool:
    times = forcing.get("frequency", forcing.get("minimum", 1))
    forced = _fixed_text(forcing).lower().count(limiting["letter"].lower()) * times
    return limiting["let_relation"] == "less than" and forced >= limiting["let_frequency"]


def _ends_otherwise(mark: Arguments, phrase: Arguments) -> bool:
    return not _fixed_text(phrase).endswith(mark["mark"])


def bounds(kwargs: Arguments) -> tuple[int, int | None]:
    """Return the smallest and largest count a length constraint allows; None = no upper bound."""
    if "minimum" in kwargs or "maximum" in kwargs:
        return kwargs.get("minimum") or 0, kwargs.get("maximum")
    number = next(value for name, value in kwargs.items() if name != "relation")
    ends = {"at least": (number, None), "less than": (0, number - 1), "at most": (0, number)}
    return ends.get(kwargs["relation"], (number, number))


def _disjoint_counts(first: Arguments, second: Arguments) -> bool:
    (low, high), (other_low, other_high) = bounds(first), bounds(second)
    return (high is not None and other_low > high) or (other_high is not None and low > other_high)


def _too_few_words(words: Arguments, sentences: Arguments) -> bool:
    """Return whether the words do not suffice for the sentences: a natural sentence needs about four words."""
    most = bounds(words)[1]
    return most is not None and most < 4 * bounds(sentences)[0]


def _one_sentence(sentences: Arguments, other: Arguments) -> bool:
    return bounds(sentences)[1] == 1


def _few_sentences(sentences: Arguments, other: Arguments) -> bool:
    return bounds(sentences)[1] in (1, 2)


RULES = (
    ConflictRule(regions.CASES, regions.CASES, "two rules about letter case"),
    ConflictRule(
        regions.ONE_CASE, regions.CASED_TEXT, "a text whose letter case is given, yet another case is required"
    ),
    ConflictRule(
        frozenset({"change_case:english_lowercase", "change_case:all_lowercase"}),
        frozenset({"detectable_content:postscript"}),
        "small letters only, yet a marker in capitals",
    ),
    ConflictRule(regions.FIRST, regions.FIRST, "two rules about the beginning"),
    ConflictRule(regions.FIRST, regions.HEADS, "a heading and something else come first"),
    ConflictRule(regions.LAST, regions.LAST, "two rules about the end"),
    ConflictRule(regions.END_MARK, regions.CLOSINGS, "the last phrase has another mark", _ends_otherwise),
    ConflictRule(regions.END_MARK, regions.ENCLOSED, "two rules about the last character"),
    ConflictRule(regions.LAST_WORDS, regions.BLOCKS, "the running text comes last, yet other lines follow it"),
    ConflictRule(regions.SHAPES, regions.UNSHAPED, "one shape for every line, sentence or word, yet a part without it"),
    ConflictRule(regions.CLOSED_SHAPES, regions.EXTRA_WORDS, "no room for a required word"),
    ConflictRule(
        regions.EACH_SENTENCE, regions.BLOCKS, "a rule about every sentence, yet lines that are not sentences"
    ),
    ConflictRule(regions.EACH_SENTENCE, regions.SENTENCE_SHAPES, "two rules about every sentence"),
    ConflictRule(regions.GROWING, regions.EXTRA_WORDS, "required words may lengthen the wrong sentence"),
    ConflictRule(regions.EACH_LINE, regions.LINES, "a rule about every line, yet separate lines are required"),
    ConflictRule(regions.PARAGRAPHS, regions.BLOCKS | regions.PARAGRAPHS, "two rules about the parts of the text"),
    ConflictRule(regions.PLAIN, regions.MARKDOWN | regions.DIVIDED, "plain text, yet Markdown is required"),
    ConflictRule(regions.NO_LISTS, regions.LISTS, "no list, yet a list is required"),
    ConflictRule(regions.ONLY_MARKS, regions.MARKED, "a mark is required that is not allowed"),
    ConflictRule(regions.FEW_DIGITS, regions.DIGITS, "digits are required that are not allowed"),
    ConflictRule(regions.FEW_DIGITS, regions.NAMED_WORDS, "digits are required that are not allowed", _has_digits),
    ConflictRule(regions.HEADS, regions.HEADS, "two rules about headings"),
    ConflictRule(regions.LISTS, regions.LISTS, "two rules about lists"),
    ConflictRule(regions.STRUCTURED, regions.STRUCTURED | regions.TABLES, "two structured answers"),
    ConflictRule(regions.FORBIDDEN_WORDS, regions.NAMED_WORDS, "a required word is forbidden", _forbids_forced),
    ConflictRule(regions.EXCLUSIONS, regions.NAMED_WORDS, "a required letter or mark is excluded", _excludes_forced),
    ConflictRule(
        regions.LETTER_COUNT, regions.NAMED_WORDS, "required words have the letter too often", _excess_letters
    ),
    ConflictRule(
        regions.SENTENCES, regions.CLOSINGS, "one sentence, yet the ending is a sentence of its own", _one_sentence
    ),
    ConflictRule(
        regions.SENTENCES, regions.POSTSCRIPT, "few sentences, yet a postscript adds one or two", _few_sentences
    ),
    ConflictRule(regions.SENTENCES, regions.SENTENCES, "no sentence count is in both ranges", _disjoint_counts),
    ConflictRule(regions.NUM_WORDS, regions.NUM_WORDS, "no word count is in both ranges", _disjoint_counts),
    ConflictRule(regions.NUM_WORDS, regions.SENTENCES, "more sentences than the words allow", _too_few_words),
    ConflictRule(regions.LISTS, regions.SENTENCES | regions.ENCLOSED, "list items are not sentences"),
)
"""Each rule applies in both orders of the two constraints."""
