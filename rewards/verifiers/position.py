"""Position verifiers: the content of the nth word, sentence, paragraph or line; without an nth one they fail."""

from collections.abc import Sequence

from rewards.count_verdicts import position_verdict
from rewards.phrases import same_word
from rewards.text import line_spans, paragraph_spans, sentence_spans, term_spans
from rewards.verdict import Span, Verdict
from rewards.verifier_args import Ordinal, Phrase
from rewards.verifiers.keywords import first_occurrence


def nth_word(completion: str, *, nth_word: Ordinal, word: Phrase) -> Verdict:
    """Check that the nth word as written is this one, letter case ignored. Margin 0 or -1."""
    span = _nth(term_spans(completion), nth_word)
    return position_verdict(span is not None and same_word(completion[slice(*span)], word), span)


def nth_sentence_contains(completion: str, *, nth_sentence: Ordinal, keyword: Phrase) -> Verdict:
    """Check that the keyword occurs in the nth sentence, letter case ignored. Margin 0 or -1."""
    return _contains(completion, _nth(sentence_spans(completion), nth_sentence), keyword)


def last_sentence_contains(completion: str, *, keyword: Phrase) -> Verdict:
    """Check that the keyword occurs in the last sentence, letter case ignored. Margin 0 or -1."""
    sentences = sentence_spans(completion)
    return _contains(completion, sentences[-1] if sentences else None, keyword)


def nth_paragraph_contains(completion: str, *, nth_paragraph: Ordinal, keyword: Phrase) -> Verdict:
    """Check that the keyword occurs in the nth paragraph, letter case ignored. Margin 0 or -1."""
    return _contains(completion, _nth(paragraph_spans(completion), nth_paragraph), keyword)


def nth_sentence_first_word(completion: str, *, nth_sentence: Ordinal, word: Phrase) -> Verdict:
    """Check that the nth sentence begins with the word as written, letter case ignored. Margin 0 or -1."""
    sentence = _nth(sentence_spans(completion), nth_sentence)
    terms = term_spans(completion[slice(*sentence)]) if sentence else []
    if not sentence or not terms:
        return position_verdict(False, sentence)
    span = (sentence[0] + terms[0][0], sentence[0] + terms[0][1])
    return position_verdict(same_word(completion[slice(*span)], word), span)


def nth_line_is(completion: str, *, nth_line: Ordinal, text: Phrase) -> Verdict:
    """Check that the nth line that is not blank is this text, letter for letter. Margin 0 or -1."""
    span = _nth(line_spans(completion), nth_line)
    return position_verdict(span is not None and completion[slice(*span)] == text.strip(), span)


def _nth(spans: Sequence[Span], nth: int) -> Span | None:
    return spans[nth - 1] if nth <= len(spans) else None


def _contains(completion: str, part: Span | None, keyword: str) -> Verdict:
    occurrence = first_occurrence(completion, keyword, *part) if part else None
    return position_verdict(occurrence is not None, occurrence or part)


VERIFIERS = {
    "position:last_sentence_contains": last_sentence_contains,
    "position:nth_line_is": nth_line_is,
    "position:nth_paragraph_contains": nth_paragraph_contains,
    "position:nth_sentence_contains": nth_sentence_contains,
    "position:nth_sentence_first_word": nth_sentence_first_word,
    "position:nth_word": nth_word,
}
