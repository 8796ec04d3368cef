"""Start and end verifiers: what a completion begins with, ends with, or is wrapped in."""

from rewards.count_verdicts import each_part_verdict, position_verdict, required_verdict
from rewards.phrases import phrase_at_end, phrase_at_start, same_word
from rewards.semantics import Semantics
from rewards.text import first_span, has_word, line_spans, strip_span, term_spans
from rewards.verdict import Span, Verdict
from rewards.verifier_args import Phrase

CLOSERS = "\"'*_ \n\t\u201d\u2019\u00bb"
"""Marks that may follow the end of a text."""


def starts_with(completion: str, *, phrase: Phrase) -> Verdict:
    """Check that the text begins with the phrase, as whole words, letter case as given. Margin 0 or -1."""
    found = phrase_at_start(completion, phrase, ignore_case=False)
    return position_verdict(found is not None, found or first_span(completion))


def ends_with(completion: str, *, phrase: Phrase) -> Verdict:
    """Check that the text ends with the phrase, as whole words, letter case as given. Margin 0 or -1."""
    found = phrase_at_end(completion, phrase, ignore_case=False)
    return position_verdict(found is not None, found or _last_character(completion))


def end_checker(completion: str, *, end_phrase: Phrase, semantics: Semantics) -> Verdict:
    """Check that the text ends with the phrase. Margin 0 or -1. (IFEval)

    Letter case and quotation marks around the text are ignored.
    reward: the phrase's first word is a whole word, and marks of emphasis may follow. eval: neither.
    """
    if semantics == "reward":
        found = phrase_at_end(completion.rstrip(CLOSERS) + " ", end_phrase.strip().rstrip(CLOSERS))
        return position_verdict(found is not None, found or _last_character(completion))
    phrase = end_phrase.strip().lower()
    start, end = strip_span(completion, (0, len(completion)))
    while end > start and completion[end - 1] == '"':
        end -= 1
    ends = completion[start:end].lower().endswith(phrase)
    return position_verdict(ends, (max(end - len(phrase), 0), end) if ends else _last_character(completion))


def quotation(completion: str, *, semantics: Semantics) -> Verdict:
    """Check that the whole text is in double quotation marks. Margin: minus the missing marks. (IFEval)

    reward: straight or curly marks around at least one letter or digit. eval: straight marks, around nothing too.
    """
    if semantics == "eval":
        return _enclosed(completion, opening='"', closing='"')
    curly = completion.strip().startswith("\u201c")
    return (
        delimited(completion, opening="\u201c", closing="\u201d")
        if curly
        else delimited(completion, opening='"', closing='"')
    )


def delimited(completion: str, *, opening: Phrase, closing: Phrase) -> Verdict:
    """Check that the whole text is enclosed by two marks, with a letter or digit inside.

    Margin: minus the missing marks, or -1 for nothing inside.
    """
    verdict = _enclosed(completion, opening=opening, closing=closing)
    start, end = strip_span(completion, (0, len(completion)))
    if verdict.satisfied and not has_word(completion[start + len(opening) : end - len(closing)]):
        return Verdict(satisfied=False, margin=-1.0, evidence=((start, end),))
    return verdict


def _enclosed(completion: str, *, opening: str, closing: str) -> Verdict:
    start, end = strip_span(completion, (0, len(completion)))
    text = completion[start:end]
    fits = len(text) >= len(opening) + len(closing)
    begins, ends = text.startswith(opening), text.endswith(closing) and fits
    edges: list[Span | None] = [
        (start, start + len(opening)) if begins else None,
        (end - len(closing), end) if ends else None,
    ]
    verdict = required_verdict(edges)
    if verdict.satisfied or not text:
        return verdict
    wrong = [span for present, span in ((begins, first_span(completion)), (ends, (end - 1, end))) if not present]
    return Verdict(satisfied=False, margin=verdict.margin, evidence=tuple(dict.fromkeys(wrong)))


def first_word(completion: str, *, word: Phrase) -> Verdict:
    """Check that the first word as written is this one, letter case ignored. Margin 0 or -1."""
    return _word_is(completion, term_spans(completion)[:1], word)


def last_word(completion: str, *, word: Phrase) -> Verdict:
    """Check that the last word as written is this one, letter case ignored. Margin 0 or -1."""
    return _word_is(completion, term_spans(completion)[-1:], word)


def same_first_and_last_word(completion: str) -> Verdict:
    """Check that the last word repeats the first one, letter case ignored. Margin 0 or -1."""
    terms = term_spans(completion)
    if len(terms) < 2:
        return position_verdict(False, terms[0] if terms else None)
    return _word_is(completion, terms[-1:], completion[slice(*terms[0])])


def each_line_starts(completion: str, *, prefix: Phrase) -> Verdict:
    """Check that every line that is not blank begins with the prefix. Margin: minus the lines that do not."""
    lines = line_spans(completion)
    return each_part_verdict(
        completion, lines, [span for span in lines if not completion.startswith(prefix.strip(), span[0])]
    )


def _word_is(completion: str, spans: list[Span], word: str) -> Verdict:
    span = spans[0] if spans else None
    return position_verdict(span is not None and same_word(completion[slice(*span)], word), span)


def _last_character(text: str) -> Span | None:
    end = len(text.rstrip())
    return (end - 1, end) if end else None


VERIFIERS = {
    "content:delimited": delimited,
    "content:ends_with": ends_with,
    "content:starts_with": starts_with,
    "startend:each_line_starts": each_line_starts,
    "startend:end_checker": end_checker,
    "startend:first_word": first_word,
    "startend:last_word": last_word,
    "startend:quotation": quotation,
    "startend:same_first_and_last_word": same_first_and_last_word,
}
