"""Attributes: constraints that a given text satisfies, found by program."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from data.constraints import find_kind
from data.problems import Arguments, Constraint
from rewards.text import paragraph_spans, sentence_spans, term_spans, word_spans
from rewards.topic import FUNCTION_WORDS, key_stems
from rewards.verifiers import verify


@dataclass(frozen=True, kw_only=True, slots=True)
class Attribute:
    """One constraint that a given text satisfies.

    Example:
        Attribute(id="startend:first_word", kwargs={"word": "Rain"}, phrase="begin with the word 'Rain'",
                  topic=frozenset({"rain", "cloud"}))
    """

    id: str
    kwargs: Arguments
    phrase: str
    topic: frozenset[str]
    """Key stems of the text it was taken from."""


def hard_attributes(text: str) -> list[Attribute]:
    """Return every attribute of a text that a program can find; its verifier confirms each of them."""
    topic = key_stems(text)
    constraints = [
        *_keywords(text),
        *_counts(text),
        *_edges(text),
        *((kind, {}) for kind in _PLAIN_KINDS),
        *_absent(text),
    ]
    return [
        Attribute(id=kind, kwargs=kwargs, phrase=find_kind(kind).phrasings(kwargs)[0], topic=topic)
        for kind, kwargs in constraints
        if _satisfies(kind, text, kwargs)
    ]


_PLAIN_KINDS = (
    "change_case:all_lowercase",
    "change_case:all_uppercase",
    "change_case:title_case",
    "change_case:sentence_capitals",
    "punctuation:no_comma",
    "content:no_digits",
    "content:ascii_only",
    "startend:quotation",
    "format:plain_text",
    "combination:no_repeated_sentence",
    "detectable_format:title",
)

_COUNTED = {
    "content:numbers": "num_numbers",
    "punctuation:questions": "num_questions",
    "punctuation:parentheses": "num_parentheses",
    "punctuation:quotations": "num_quotations",
    "format:headings": "num_headings",
    "format:bullet_items": "num_items",
    "format:numbered_items": "num_items",
    "format:bold": "num_bold",
}
MAX_COUNT = 20


def _keywords(text: str) -> Iterable[Constraint]:
    """Yield content words, the frequent ones first, with their exact number where they are repeated."""
    words = Counter(text[start:end].lower() for start, end in term_spans(text))
    for word, number in words.most_common():
        if len(word) > 3 and word.isalpha() and word not in FUNCTION_WORDS:
            yield "keywords:existence", {"keywords": [word]}
            if number > 1:
                yield "keywords:frequency", {"keyword": word, "frequency": number, "relation": "exactly"}


def _counts(text: str) -> Iterable[Constraint]:
    """Yield ranges of ten words and five sentences, the number of paragraphs, and exact counts of other elements."""
    yield "length:word_range", _bucket(len(word_spans(text)), 10)
    yield "length:sentence_range", _bucket(len(sentence_spans(text)), 5)
    paragraphs = len(paragraph_spans(text))
    yield "length:paragraph_range", {"minimum": paragraphs, "maximum": paragraphs}
    for kind, key in _COUNTED.items():
        exact = ({key: number, "relation": "exactly"} for number in range(1, MAX_COUNT))
        kwargs = next((kwargs for kwargs in exact if _satisfies(kind, text, kwargs)), None)
        if kwargs is not None:
            yield kind, kwargs


def _bucket(number: int, width: int) -> dict[str, int]:
    low = max(1, number // width * width)
    return {"minimum": low, "maximum": low // width * width + width - 1}


def _edges(text: str) -> Iterable[Constraint]:
    words = term_spans(text)
    if words:
        yield "startend:first_word", {"word": text[slice(*words[0])]}
        yield "startend:last_word", {"word": text[slice(*words[-1])]}
    if text.rstrip()[-1:] in tuple(".!?"):
        yield "content:ends_with_mark", {"mark": text.rstrip()[-1]}


def _absent(text: str) -> Iterable[Constraint]:
    yield from (("content:exclude_mark", {"mark": mark}) for mark in "!?;:(" if mark not in text)
    yield from (("content:exclude_letter", {"letter": letter}) for letter in "jqxz" if letter not in text.lower())


def _satisfies(kind: str, text: str, kwargs: Arguments) -> bool:
    return bool(verify(kind, text, prompt="", **kwargs).satisfied)
