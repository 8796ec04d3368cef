"""Keywords: words and letters that must, may or must not occur."""

import re

from rewards.count_verdicts import Relation, counted, counted_in_range, forbidden, required
from rewards.text import sentence_spans
from rewards.verdict import Span, Verdict
from rewards.verifier_args import Character, Count, Phrase, Phrases


def occurrences(text: str, phrase: str) -> list[Span]:
    """Where the phrase stands in the text, letter case ignored, inside longer words too, without overlap."""
    return [match.span() for match in re.finditer(re.escape(phrase), text, re.IGNORECASE)]


def whole_words(text: str, phrase: str) -> list[Span]:
    """Where the phrase stands in the text as words of its own, letter case ignored."""
    return [match.span() for match in re.finditer(rf"\b{re.escape(phrase)}\b", text, re.IGNORECASE)]


def first_occurrence(text: str, phrase: str, start: int = 0, end: int | None = None) -> Span | None:
    """The first place in text[start:end] where the phrase stands, letter case ignored."""
    match = re.compile(re.escape(phrase), re.IGNORECASE).search(text, start, len(text) if end is None else end)
    return match.span() if match else None


def existence(completion: str, *, keywords: Phrases) -> Verdict:
    """Every keyword occurs. Margin: minus the keywords missing. (IFEval)"""
    return required([first_occurrence(completion, keyword) for keyword in keywords])


def frequency(completion: str, *, keyword: Phrase, frequency: Count, relation: Relation) -> Verdict:
    """The keyword occurs so many times. Margin in occurrences. (IFEval)"""
    return counted(occurrences(completion, keyword), frequency, relation)


def keyword_range(completion: str, *, keyword: Phrase, minimum: Count, maximum: Count) -> Verdict:
    """The keyword occurs between `minimum` and `maximum` times. Margin in occurrences."""
    return counted_in_range(occurrences(completion, keyword), minimum, maximum)


def forbidden_words(completion: str, *, forbidden_words: Phrases) -> Verdict:
    """None of the words occurs as a word of its own. Margin: minus the occurrences. (IFEval)"""
    return forbidden([span for word in forbidden_words for span in whole_words(completion, word)])


def letter_frequency(completion: str, *, letter: Character, let_frequency: Count, let_relation: Relation) -> Verdict:
    """The letter occurs so many times, letter case ignored. Margin in letters. (IFEval)

    IFEval itself replaces a character that is no letter by a random one; here the character given is counted.
    """
    letter = letter.lower()
    found = [(at, at + 1) for at, character in enumerate(completion) if character.lower() == letter]
    return counted(found, let_frequency, let_relation)


def any_of(completion: str, *, keywords: Phrases, num_keywords: Count, relation: Relation) -> Verdict:
    """So many different ones of the keywords occur. Margin in keywords."""
    found = [span for keyword in keywords if (span := first_occurrence(completion, keyword))]
    return counted(found, num_keywords, relation)


def in_order(completion: str, *, keywords: Phrases) -> Verdict:
    """The keywords occur one after the other in the order given. Margin: minus the keywords from the first lost one."""
    found: list[Span | None] = []
    at = 0
    for keyword in keywords:
        span = None if None in found else first_occurrence(completion, keyword, at)
        found.append(span)
        at = span[1] if span else at
    return required(found)


def same_sentence(completion: str, *, keywords: Phrases) -> Verdict:
    """One sentence holds all the keywords. Margin: minus the keywords missing from the best sentence."""
    sentences = sentence_spans(completion) or ((0, 0),)
    held = [[first_occurrence(completion, keyword, *sentence) for keyword in keywords] for sentence in sentences]
    return required(min(held, key=lambda found: found.count(None)))


VERIFIERS = {
    "content:keyword_range": keyword_range,
    "keywords:any_of": any_of,
    "keywords:existence": existence,
    "keywords:forbidden_words": forbidden_words,
    "keywords:frequency": frequency,
    "keywords:in_order": in_order,
    "keywords:letter_frequency": letter_frequency,
    "keywords:same_sentence": same_sentence,
}
