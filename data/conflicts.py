"""Conflicts: which two constraints no answer can keep together, or only in a way nobody means."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Arguments = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
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
}
"""Kinds a prompt may have several of, as long as they are about different words, letters or marks."""


def _subject(kind: str, kwargs: Arguments) -> Any:
    return kwargs[SUBJECTS[kind]] if kind in SUBJECTS else None


def _ids(*ids: str) -> frozenset[str]:
    return frozenset(ids)


def _always(first: Arguments, second: Arguments) -> bool:
    return True


def _fixed_text(kwargs: Arguments) -> str:
    """The characters a constraint forces into the answer: its phrase, marker or keywords."""
    words = [*kwargs.get("keywords", ()), *(kwargs.get(key, "") for key in ("keyword", *_PHRASES))]
    return " ".join(words)


_PHRASES = ("phrase", "end_phrase", "postscript_marker", "mark")
FORCES_TEXT = _ids(
    "keywords:existence",
    "keywords:frequency",
    "content:starts_with",
    "content:ends_with_mark",
    "startend:end_checker",
    "detectable_content:postscript",
)
WHOLE_CASE = _ids("change_case:english_lowercase", "change_case:english_capital")
FIRST_CHARACTERS = _ids("content:starts_with", "startend:quotation", "detectable_format:json_format")
LAST_CHARACTERS = _ids("content:ends_with_mark", "startend:end_checker", "startend:quotation", "detectable_format:json_format")
SENTENCES = _ids("length:sentence_range", "length_constraints:number_sentences")
WORDS = _ids("length:word_range", "length_constraints:number_words")


def _forbids_forced(forbidding: Arguments, forcing: Arguments) -> bool:
    text = _fixed_text(forcing)
    return any(re.search(rf"\b{re.escape(word)}\b", text, re.IGNORECASE) for word in forbidding["forbidden_words"])


def _excludes_forced(excluding: Arguments, forcing: Arguments) -> bool:
    return excluding["mark"] in _fixed_text(forcing)


def _too_many_letters(limiting: Arguments, forcing: Arguments) -> bool:
    forced = _fixed_text(forcing).lower().count(limiting["letter"].lower()) * forcing.get("frequency", 1)
    return limiting["let_relation"] == "less than" and forced >= limiting["let_frequency"]


def _ends_otherwise(mark: Arguments, phrase: Arguments) -> bool:
    return not phrase["end_phrase"].endswith(mark["mark"])


def bounds(kwargs: Arguments) -> tuple[int, int | None]:
    """The smallest and largest count a length constraint allows, None = no upper bound."""
    if "minimum" in kwargs or "maximum" in kwargs:
        return kwargs.get("minimum") or 0, kwargs.get("maximum")
    number = next(value for name, value in kwargs.items() if name != "relation")
    ranges = {"at least": (number, None), "less than": (0, number - 1), "at most": (0, number), "exactly": (number, number)}
    return ranges[kwargs["relation"]]


def _counts_apart(first: Arguments, second: Arguments) -> bool:
    (low, high), (other_low, other_high) = bounds(first), bounds(second)
    return (high is not None and other_low > high) or (other_high is not None and low > other_high)


def _fewer_words_than_sentences(words: Arguments, sentences: Arguments) -> bool:
    """A natural sentence needs some four words."""
    most = bounds(words)[1]
    return most is not None and most < 4 * bounds(sentences)[0]


RULES = (
    Rule(
        first=_ids("change_case:english_lowercase"),
        second=_ids("change_case:english_capital", "change_case:capital_word_frequency", "detectable_content:postscript"),
        clashes=_always,
        reason="small letters only, yet capitals are required",
    ),
    Rule(
        first=_ids("change_case:english_capital"),
        second=_ids("change_case:capital_word_frequency"),
        clashes=_always,
        reason="capitals everywhere leave nothing to count",
    ),
    Rule(
        first=WHOLE_CASE,
        second=_ids("content:starts_with", "startend:end_checker"),
        clashes=_always,
        reason="a phrase in mixed case, yet one case only",
    ),
    Rule(
        first=_ids("startend:quotation", "detectable_format:json_format"),
        second=FIRST_CHARACTERS | LAST_CHARACTERS,
        clashes=_always,
        reason="two rules about the same first or last character",
    ),
    Rule(
        first=_ids("content:ends_with_mark"),
        second=_ids("startend:end_checker"),
        clashes=_ends_otherwise,
        reason="the last phrase has another mark",
    ),
    Rule(
        first=_ids("startend:end_checker"),
        second=_ids("detectable_content:postscript"),
        clashes=_always,
        reason="two rules about what comes last",
    ),
    Rule(
        first=_ids("keywords:forbidden_words"),
        second=FORCES_TEXT,
        clashes=_forbids_forced,
        reason="a required word is forbidden",
    ),
    Rule(
        first=_ids("content:exclude_mark"),
        second=FORCES_TEXT,
        clashes=_excludes_forced,
        reason="a required mark is excluded",
    ),
    Rule(
        first=_ids("keywords:letter_frequency"),
        second=FORCES_TEXT,
        clashes=_too_many_letters,
        reason="required words have the letter too often",
    ),
    Rule(
        first=SENTENCES,
        second=_ids("startend:end_checker", "detectable_content:postscript"),
        clashes=lambda sentences, ending: bounds(sentences)[1] == 1,
        reason="one sentence only, yet the ending is a sentence of its own",
    ),
    Rule(first=SENTENCES, second=SENTENCES, clashes=_counts_apart, reason="no sentence count is in both ranges"),
    Rule(first=WORDS, second=WORDS, clashes=_counts_apart, reason="no word count is in both ranges"),
    Rule(
        first=WORDS,
        second=SENTENCES,
        clashes=_fewer_words_than_sentences,
        reason="more sentences than the words allow",
    ),
    Rule(
        first=_ids("detectable_format:number_bullet_lists"),
        second=SENTENCES | _ids("startend:quotation"),
        clashes=_always,
        reason="bullet points are no sentences",
    ),
)
