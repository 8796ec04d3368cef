"""Length verifiers: the number of words, sentences, lines and paragraphs, in a text or past what it may have."""

import re

from rewards.count_verdicts import Relation, relation_margin, text_range_verdict, whole_text_verdict
from rewards.phrases import same_word
from rewards.semantics import Semantics
from rewards.text import (
    TERM,
    has_word,
    line_spans,
    lower_words,
    paragraph_spans,
    published_sentence_spans,
    sentence_spans,
    strip_span,
    word_spans,
)
from rewards.verdict import Verdict
from rewards.verifier_args import Count, Ordinal, Phrase

PARAGRAPH_DIVIDER = re.compile(r"\s?\*\*\*\s?")
FIRST_WORD_ENDS = set(".,?!'\"")
PUBLISHED_WORD = re.compile(r"\w+")


def number_words(completion: str, *, num_words: Count, relation: Relation, semantics: Semantics) -> Verdict:
    """Check the number of words. Margin in words. (IFEval)

    reward: words begin with a letter or digit, and keep their marks and invisible characters. eval: runs of letters,
    digits and underscores, so that `_` is a word and Hindi words are several.
    """
    count = len(PUBLISHED_WORD.findall(completion) if semantics == "eval" else word_spans(completion))
    return whole_text_verdict(completion, relation_margin(count, num_words, relation))


def word_range(completion: str, *, minimum: Count, maximum: Count) -> Verdict:
    """Check for `minimum` to `maximum` words. Margin in words."""
    return text_range_verdict(completion, word_spans(completion), minimum, maximum)


def number_sentences(completion: str, *, num_sentences: Count, relation: Relation, semantics: Semantics) -> Verdict:
    """Check the number of sentences. Margin in sentences. (IFEval)

    reward: sentences as `rewards.text` finds them. eval: as punkt does, for which the number of a list item is one.
    """
    sentences = published_sentence_spans(completion) if semantics == "eval" else sentence_spans(completion)
    return whole_text_verdict(completion, relation_margin(len(sentences), num_sentences, relation))


def sentence_range(completion: str, *, minimum: Count, maximum: Count) -> Verdict:
    """Check for `minimum` to `maximum` sentences. Margin in sentences."""
    return text_range_verdict(completion, sentence_spans(completion), minimum, maximum)


def number_paragraphs(completion: str, *, num_paragraphs: Count, semantics: Semantics) -> Verdict:
    """Check the number of parts divided by `***`; only the outermost may be blank. Margin in paragraphs. (IFEval)

    reward: parts without a letter or digit are blank. eval: parts of white space alone are.
    """
    holds_text = has_word if semantics == "reward" else str.strip
    filled = [bool(holds_text(part)) for part in PARAGRAPH_DIVIDER.split(completion)]
    blank_inside = filled[1:-1].count(False)
    num_found = sum(filled)
    return whole_text_verdict(completion, -abs(num_found - num_paragraphs) - blank_inside)


def paragraph_range(completion: str, *, minimum: Count, maximum: Count) -> Verdict:
    """Check for `minimum` to `maximum` paragraphs divided by blank lines. Margin in paragraphs."""
    return text_range_verdict(completion, paragraph_spans(completion), minimum, maximum)


def nth_paragraph_first_word(
    completion: str, *, num_paragraphs: Ordinal, nth_paragraph: Ordinal, first_word: Phrase, semantics: Semantics
) -> Verdict:
    """Check the number of parts divided by two line feeds, and that the nth begins with the word. (IFEval)

    Margin: minus the extra or missing paragraphs, and minus one for another first word.
    reward: the first word as written, after any marks. eval: up to the first mark, so that "Don't" begins with "don".
    """
    if semantics == "reward":
        paragraphs = [completion[slice(*span)] for span in paragraph_spans(completion)]
        first = TERM.search(paragraphs[nth_paragraph - 1]) if nth_paragraph <= len(paragraphs) else None
        wrong_word = first is None or not same_word(first[0], first_word)
        return whole_text_verdict(completion, -abs(len(paragraphs) - num_paragraphs) - wrong_word)
    parts = completion.split("\n\n")
    num_found = sum(bool(part.strip()) for part in parts)
    nth = parts[nth_paragraph - 1].strip() if nth_paragraph <= num_found else ""
    wrong_word = not nth or _leading_word(nth) != first_word.lower()
    return whole_text_verdict(completion, -abs(num_found - num_paragraphs) - wrong_word)


def _leading_word(paragraph: str) -> str:
    word = paragraph.split()[0].lstrip("'").lstrip('"')
    end = next((end for end, character in enumerate(word) if character in FIRST_WORD_ENDS), len(word))
    return word[:end].lower()


def line_range(completion: str, *, minimum: Count, maximum: Count) -> Verdict:
    """Check for `minimum` to `maximum` lines that are not blank. Margin in lines."""
    return text_range_verdict(completion, line_spans(completion), minimum, maximum)


def character_range(completion: str, *, minimum: Count, maximum: Count) -> Verdict:
    """Check for `minimum` to `maximum` characters, white space at both ends excluded. Margin in characters."""
    start, end = strip_span(completion, (0, len(completion)))
    return text_range_verdict(completion, [(at, at + 1) for at in range(start, end)], minimum, maximum)


def distinct_words(completion: str, *, num_words: Count, relation: Relation) -> Verdict:
    """Check the number of different words, letter case ignored. Margin in words."""
    num_distinct = len(set(lower_words(completion)))
    return whole_text_verdict(completion, relation_margin(num_distinct, num_words, relation))


VERIFIERS = {
    "length:character_range": character_range,
    "length:distinct_words": distinct_words,
    "length:line_range": line_range,
    "length:paragraph_range": paragraph_range,
    "length:sentence_range": sentence_range,
    "length:word_range": word_range,
    "length_constraints:nth_paragraph_first_word": nth_paragraph_first_word,
    "length_constraints:number_paragraphs": number_paragraphs,
    "length_constraints:number_sentences": number_sentences,
    "length_constraints:number_words": number_words,
}
