"""Conflicts: which two constraints no answer can keep together, or only in a way nobody means."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from data import answer_regions as regions

Arguments = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Rule:
    """Two sets of kinds, and when a member of the one clashes with a member of the other."""

    first: frozenset[str]
    second: frozenset[str]
    clashes: Callable[[Arguments, Arguments], bool]
    reason: str


def conflict(first: tuple[str, Arguments], second: tuple[str, Arguments]) -> str | None:
    """Why two constraints, each (id, kwargs), must not stand in one prompt; None if they may."""
    if first[0] == second[0] and _subject(*first) == _subject(*second):
        return "the same rule twice"
    for rule in RULES:
        for one, other in ((first, second), (second, first)):
            if one[0] in rule.first and other[0] in rule.second and rule.clashes(one[1], other[1]):
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
"""Kinds a prompt may have several of, as long as they are about different words, letters or marks."""


def _subject(kind: str, kwargs: Arguments) -> Any:
    return kwargs[SUBJECTS[kind]] if kind in SUBJECTS else None


def _always(first: Arguments, second: Arguments) -> bool:
    return True


def _fixed_text(kwargs: Arguments) -> str:
    """The characters a constraint forces into the answer: its phrase, marker or keywords."""
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


def _too_many_letters(limiting: Arguments, forcing: Arguments) -> bool:
    times = forcing.get("frequency", forcing.get("minimum", 1))
    forced = _fixed_text(forcing).lower().count(limiting["letter"].lower()) * times
    return limiting["let_relation"] == "less than" and forced >= limiting["let_frequency"]


def _ends_otherwise(mark: Arguments, phrase: Arguments) -> bool:
    return not _fixed_text(phrase).endswith(mark["mark"])


def bounds(kwargs: Arguments) -> tuple[int, int | None]:
    """The smallest and largest count a length constraint allows, None = no upper bound."""
    if "minimum" in kwargs or "maximum" in kwargs:
        return kwargs.get("minimum") or 0, kwargs.get("maximum")
    number = next(value for name, value in kwargs.items() if name != "relation")
    ends = {"at least": (number, None), "less than": (0, number - 1), "at most": (0, number)}
    return ends.get(kwargs["relation"], (number, number))


def _counts_apart(first: Arguments, second: Arguments) -> bool:
    (low, high), (other_low, other_high) = bounds(first), bounds(second)
    return (high is not None and other_low > high) or (other_high is not None and low > other_high)


def _fewer_words_than_sentences(words: Arguments, sentences: Arguments) -> bool:
    """A natural sentence needs some four words."""
    most = bounds(words)[1]
    return most is not None and most < 4 * bounds(sentences)[0]


def _one_sentence(sentences: Arguments, other: Arguments) -> bool:
    return bounds(sentences)[1] == 1


def _few_sentences(sentences: Arguments, other: Arguments) -> bool:
    return bounds(sentences)[1] in (1, 2)


RULES = (
    Rule(regions.CASES, regions.CASES, _always, "two rules about letter case, where one leaves nothing to the other"),
    Rule(
        regions.ONE_CASE, regions.CASED_TEXT, _always, "a text whose letter case is given, yet another case is required"
    ),
    Rule(
        frozenset({"change_case:english_lowercase", "change_case:all_lowercase"}),
        frozenset({"detectable_content:postscript"}),
        _always,
        "small letters only, yet a marker in capitals",
    ),
    Rule(regions.FIRST, regions.FIRST, _always, "two rules about what comes first"),
    Rule(regions.FIRST, regions.HEADS, _always, "a heading and something else come first"),
    Rule(regions.LAST, regions.LAST, _always, "two rules about what comes last"),
    Rule(regions.END_MARK, regions.CLOSINGS, _ends_otherwise, "the last phrase has another mark"),
    Rule(regions.END_MARK, regions.ENCLOSED, _always, "two rules about the last character"),
    Rule(regions.LAST_WORDS, regions.BLOCKS, _always, "the running text comes last, yet other lines follow it"),
    Rule(
        regions.SHAPES, regions.UNSHAPED, _always, "every line, sentence or word has a shape that the other part breaks"
    ),
    Rule(regions.CLOSED_SHAPES, regions.EXTRA_WORDS, _always, "no room for a word that is given"),
    Rule(regions.EACH_SENTENCE, regions.BLOCKS, _always, "a rule about every sentence, yet lines that are none"),
    Rule(regions.EACH_SENTENCE, regions.SENTENCE_SHAPES, _always, "two rules about every sentence"),
    Rule(regions.GROWING, regions.EXTRA_WORDS, _always, "words that are given lengthen a sentence out of turn"),
    Rule(regions.EACH_LINE, regions.LINES, _always, "a rule about lines, yet lines of their own"),
    Rule(regions.PARAGRAPHS, regions.BLOCKS | regions.PARAGRAPHS, _always, "two rules about what parts the text"),
    Rule(regions.PLAIN, regions.MARKDOWN | regions.DIVIDED, _always, "plain text, yet Markdown is required"),
    Rule(regions.NO_LISTS, regions.LISTS, _always, "no list, yet a list is required"),
    Rule(regions.ONLY_MARKS, regions.MARKED, _always, "a mark is required that is not allowed"),
    Rule(regions.FEW_DIGITS, regions.DIGITS, _always, "digits are required that are not allowed"),
    Rule(regions.FEW_DIGITS, regions.NAMED_WORDS, _has_digits, "digits are required that are not allowed"),
    Rule(regions.HEADS, regions.HEADS, _always, "two rules about headings"),
    Rule(regions.LISTS, regions.LISTS, _always, "two rules about lists"),
    Rule(regions.JSON | regions.XML, regions.JSON | regions.XML | regions.TABLES, _always, "two structured answers"),
    Rule(regions.FORBIDDEN_WORDS, regions.NAMED_WORDS, _forbids_forced, "a required word is forbidden"),
    Rule(regions.EXCLUSIONS, regions.NAMED_WORDS, _excludes_forced, "a required letter or mark is excluded"),
    Rule(regions.LETTER_COUNT, regions.NAMED_WORDS, _too_many_letters, "required words have the letter too often"),
    Rule(regions.SENTENCES, regions.CLOSINGS, _one_sentence, "one sentence, yet the ending is a sentence of its own"),
    Rule(
        regions.SENTENCES,
        regions.POSTSCRIPT,
        _few_sentences,
        "few sentences, yet a postscript is one or two of its own",
    ),
    Rule(regions.SENTENCES, regions.SENTENCES, _counts_apart, "no sentence count is in both ranges"),
    Rule(regions.NUM_WORDS, regions.NUM_WORDS, _counts_apart, "no word count is in both ranges"),
    Rule(regions.NUM_WORDS, regions.SENTENCES, _fewer_words_than_sentences, "more sentences than the words allow"),
    Rule(regions.LISTS, regions.SENTENCES | regions.ENCLOSED, _always, "list items are no sentences"),
)
"""Every rule holds in both directions."""
