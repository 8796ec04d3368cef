"""Keyword verifiers: words and letters that must, may or must not occur.

Keywords are words: "hat" does not occur in "what". With `stems` they occur in any inflected form, "rains" in "raining".
"""

import re
from bisect import bisect_left

from rewards.count_verdicts import Relation, count_verdict, forbidden_verdict, range_verdict, required_verdict
from rewards.phrases import find_inflected, find_phrase
from rewards.semantics import Semantics
from rewards.text import character_spans, sentence_spans
from rewards.verdict import Span, Verdict
from rewards.verifier_args import Character, Count, Phrase, Phrases
from rewards.verifiers.content import letter_spans


def occurrences(text: str, phrase: str, *, stems: bool = False) -> list[Span]:
    """Return the spans of the phrase as whole words, letter case ignored, without overlap."""
    return find_inflected(text, phrase) if stems else find_phrase(text, phrase)


def published_occurrences(text: str, phrase: str, *, boundary: str = "") -> list[Span]:
    """Return the spans of the phrase as IFEval finds them; what it takes for a pattern is a plain text here."""
    pattern = re.compile(f"{boundary}{re.escape(phrase)}{boundary}", re.IGNORECASE)
    return [match.span() for match in pattern.finditer(text)]


def first_occurrence(text: str, phrase: str, start: int = 0, end: int | None = None) -> Span | None:
    """Return the span of the phrase's first occurrence in text[start:end], letter case ignored."""
    spans = find_phrase(text[start:end], phrase)
    return (start + spans[0][0], start + spans[0][1]) if spans else None


def existence(completion: str, *, keywords: Phrases, stems: bool = False, semantics: Semantics) -> Verdict:
    """Check that every keyword occurs. Margin: minus the missing keywords. (IFEval)

    reward: as a word. eval: inside longer words too.
    """
    spans = [_spans(completion, keyword, stems, semantics) for keyword in keywords]
    return required_verdict([found[0] if found else None for found in spans])


def frequency(
    completion: str,
    *,
    keyword: Phrase,
    frequency: Count,
    relation: Relation,
    stems: bool = False,
    semantics: Semantics,
) -> Verdict:
    """Check how often the keyword occurs. Margin in occurrences. (IFEval)

    reward: as a word. eval: inside longer words too.
    """
    return count_verdict(_spans(completion, keyword, stems, semantics), frequency, relation)


def keyword_range(completion: str, *, keyword: Phrase, minimum: Count, maximum: Count) -> Verdict:
    """Check that the keyword occurs between `minimum` and `maximum` times. Margin in occurrences."""
    return range_verdict(occurrences(completion, keyword), minimum, maximum)


def forbidden_words(completion: str, *, forbidden_words: Phrases, stems: bool = False, semantics: Semantics) -> Verdict:
    """Check that none of the words occurs as a whole word. Margin: minus the occurrences. (IFEval)

    reward: in any look, with marks at its edges, such as `C++`. eval: between the borders of a pattern's words (\\b).
    """
    spans = [span for word in forbidden_words for span in _spans(completion, word, stems, semantics, boundary=r"\b")]
    return forbidden_verdict(list(dict.fromkeys(spans)))


def letter_frequency(
    completion: str, *, letter: Character, let_frequency: Count, let_relation: Relation, semantics: Semantics
) -> Verdict:
    """Check how often the letter occurs, letter case ignored. Margin in letters. (IFEval)

    IFEval itself replaces a character that is not a letter by a random one; here the given character is counted.
    reward: characters that read like the letter count. eval: that character alone.
    """
    if semantics == "reward":
        return count_verdict(letter_spans(completion, letter), let_frequency, let_relation)
    letter = letter.lower()
    spans = character_spans(completion, lambda character: character.lower() == letter)
    return count_verdict(spans, let_frequency, let_relation)


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
    ends = [end for _, end in sentence_spans(completion)]
    first: dict[int, dict[int, Span]] = {}
    for number, keyword in enumerate(keywords):
        for span in occurrences(completion, keyword):
            first.setdefault(bisect_left(ends, span[1]), {}).setdefault(number, span)
    best = max((first[sentence] for sentence in sorted(first)), key=len, default={})
    return required_verdict([best.get(number) for number in range(len(keywords))])


def _spans(text: str, phrase: str, stems: bool, semantics: Semantics, *, boundary: str = "") -> list[Span]:
    if semantics == "eval":
        return published_occurrences(text, phrase, boundary=boundary)
    return occurrences(text, phrase, stems=stems)


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
