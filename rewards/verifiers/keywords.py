"""Keyword verifiers: words and letters that must, may or must not occur."""

from rewards.count_verdicts import Relation, count_verdict, forbidden_verdict, range_verdict, required_verdict
from rewards.phrases import find_phrase
from rewards.text import character_spans, sentence_spans
from rewards.verdict import Span, Verdict
from rewards.verifier_args import Character, Count, Phrase, Phrases


def occurrences(text: str, phrase: str) -> list[Span]:
    """Return the spans of the phrase, letter case ignored, inside longer words too, without overlap."""
    return find_phrase(text, phrase)


def whole_words(text: str, phrase: str) -> list[Span]:
    """Return the spans of the phrase as whole words, letter case ignored."""
    return find_phrase(text, phrase, whole=True)


def first_occurrence(text: str, phrase: str, start: int = 0, end: int | None = None) -> Span | None:
    """Return the span of the phrase's first occurrence in text[start:end], letter case ignored."""
    spans = find_phrase(text[start:end], phrase)
    return (start + spans[0][0], start + spans[0][1]) if spans else None


def existence(completion: str, *, keywords: Phrases) -> Verdict:
    """Check that every keyword occurs. Margin: minus the missing keywords. (IFEval)"""
    return required_verdict([first_occurrence(completion, keyword) for keyword in keywords])


def frequency(completion: str, *, keyword: Phrase, frequency: Count, relation: Relation) -> Verdict:
    """Check how often the keyword occurs. Margin in occurrences. (IFEval)"""
    return count_verdict(occurrences(completion, keyword), frequency, relation)


def keyword_range(completion: str, *, keyword: Phrase, minimum: Count, maximum: Count) -> Verdict:
    """Check that the keyword occurs between `minimum` and `maximum` times. Margin in occurrences."""
    return range_verdict(occurrences(completion, keyword), minimum, maximum)


def forbidden_words(completion: str, *, forbidden_words: Phrases) -> Verdict:
    """Check that none of the words occurs as a whole word. Margin: minus the occurrences. (IFEval)"""
    return forbidden_verdict([span for word in forbidden_words for span in whole_words(completion, word)])


def letter_frequency(completion: str, *, letter: Character, let_frequency: Count, let_relation: Relation) -> Verdict:
    """Check how often the letter occurs, letter case ignored. Margin in letters. (IFEval)

    IFEval itself replaces a character that is not a letter by a random one; here the given character is counted.
    """
    letter = letter.lower()
    occurrences = character_spans(completion, lambda character: character.lower() == letter)
    return count_verdict(occurrences, let_frequency, let_relation)


def any_of(completion: str, *, keywords: Phrases, num_keywords: Count, relation: Relation) -> Verdict:
    """Check how many of the keywords occur. Margin in keywords."""
    spans = [span for keyword in keywords if (span := first_occurrence(completion, keyword))]
    return count_verdict(spans, num_keywords, relation)


def in_order(completion: str, *, keywords: Phrases) -> Verdict:
    """Check that the keywords occur in the given order. Margin: minus the keywords from the first missing one on."""
    spans: list[Span | None] = []
    position = 0
    for keyword in keywords:
        span = None if None in spans else first_occurrence(completion, keyword, position)
        spans.append(span)
        position = span[1] if span else position
    return required_verdict(spans)


def same_sentence(completion: str, *, keywords: Phrases) -> Verdict:
    """Check that one sentence contains all the keywords. Margin: minus those missing from the best sentence."""
    sentences = sentence_spans(completion) or ((0, 0),)
    occurrences = [[first_occurrence(completion, keyword, *sentence) for keyword in keywords] for sentence in sentences]
    return required_verdict(min(occurrences, key=lambda spans: spans.count(None)))


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
