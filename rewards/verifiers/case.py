"""Letter case: all capitals, none, one at the start of each word, or so many words in capitals."""

from collections.abc import Callable

from rewards.count_verdicts import Relation, counted, every, whole_text
from rewards.language import language_of
from rewards.text import sentence_spans, term_spans
from rewards.tokens import token_spans
from rewards.verdict import Span, Verdict
from rewards.verifier_args import Count


def characters_that(text: str, wrong: Callable[[str], bool]) -> list[Span]:
    """Spans of the single characters for which `wrong` holds."""
    return [(at, at + 1) for at, character in enumerate(text) if wrong(character)]


def capital_word_frequency(completion: str, *, capital_frequency: Count, capital_relation: Relation) -> Verdict:
    """So many words all in capitals, words as NLTK cuts them. Margin in words. (IFEval)"""
    found = [(start, end) for start, end in token_spans(completion) if completion[start:end].isupper()]
    return counted(found, capital_frequency, capital_relation)


def english_capital(completion: str) -> Verdict:
    """English text in capitals. Margin: minus the small letters, or -1 for another language. (IFEval)"""
    return _in_english(completion, all_uppercase(completion))


def english_lowercase(completion: str) -> Verdict:
    """English text in small letters. Margin: minus the capitals, or -1 for another language. (IFEval)"""
    return _in_english(completion, all_lowercase(completion))


def all_uppercase(completion: str) -> Verdict:
    """There are letters, and all are capitals. Margin: minus the small letters."""
    return _all_of(completion, characters_that(completion, str.islower), completion.isupper())


def all_lowercase(completion: str) -> Verdict:
    """There are letters, and none is a capital. Margin: minus the capitals."""
    return _all_of(completion, characters_that(completion, str.isupper), completion.islower())


def title_case(completion: str) -> Verdict:
    """Every word as written starts with a capital, words that start with a digit aside. Margin: minus the others."""
    words = [(start, end) for start, end in term_spans(completion) if completion[start].isalpha()]
    return every(completion, words, [span for span in words if completion[span[0]].islower()])


def sentence_capitals(completion: str) -> Verdict:
    """The first letter of every sentence is a capital. Margin: minus the sentences where it is not."""
    sentences = sentence_spans(completion)
    firsts = [next((at for at in range(start, end) if completion[at].isalpha()), start) for start, end in sentences]
    return every(completion, sentences, [(at, at + 1) for at in firsts if completion[at].islower()])


def _all_of(completion: str, wrong: list[Span], has_right_case: bool) -> Verdict:
    if wrong:
        return Verdict(satisfied=False, margin=-float(len(wrong)), evidence=tuple(wrong))
    return whole_text(completion, 0.0 if has_right_case else -1.0)


def _in_english(completion: str, verdict: Verdict) -> Verdict:
    return verdict if not verdict.satisfied or language_of(completion) == "en" else whole_text(completion, -1.0)


VERIFIERS = {
    "change_case:all_lowercase": all_lowercase,
    "change_case:all_uppercase": all_uppercase,
    "change_case:capital_word_frequency": capital_word_frequency,
    "change_case:english_capital": english_capital,
    "change_case:english_lowercase": english_lowercase,
    "change_case:sentence_capitals": sentence_capitals,
    "change_case:title_case": title_case,
}
