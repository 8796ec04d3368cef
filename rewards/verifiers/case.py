"""Letter-case verifiers: all capitals, none, one at the start of each word, or a number of words in capitals."""

from rewards.count_verdicts import Relation, count_verdict, each_part_verdict, whole_text_verdict
from rewards.language import language_of
from rewards.text import character_spans, sentence_spans, term_spans
from rewards.tokens import token_spans
from rewards.verdict import Span, Verdict
from rewards.verifier_args import Count


def capital_word_frequency(completion: str, *, capital_frequency: Count, capital_relation: Relation) -> Verdict:
    """Check the number of words in capitals, with words as NLTK cuts them. Margin in words. (IFEval)"""
    capital_words = [(start, end) for start, end in token_spans(completion) if completion[start:end].isupper()]
    return count_verdict(capital_words, capital_frequency, capital_relation)


def english_capital(completion: str) -> Verdict:
    """Check for English in capitals. Margin: minus the small letters, or -1 for another language. (IFEval)"""
    return _in_english(completion, all_uppercase(completion))


def english_lowercase(completion: str) -> Verdict:
    """Check for English in small letters. Margin: minus the capitals, or -1 for another language. (IFEval)"""
    return _in_english(completion, all_lowercase(completion))


def all_uppercase(completion: str) -> Verdict:
    """Check that there are letters and all are capitals. Margin: minus the small letters."""
    return _all_of(completion, character_spans(completion, str.islower), completion.isupper())


def all_lowercase(completion: str) -> Verdict:
    """Check that there are letters and none is a capital. Margin: minus the capitals."""
    return _all_of(completion, character_spans(completion, str.isupper), completion.islower())


def title_case(completion: str) -> Verdict:
    """Check that every word starts with a capital, words that start with a digit aside. Margin: minus the others."""
    words = [(start, end) for start, end in term_spans(completion) if completion[start].isalpha()]
    return each_part_verdict(completion, words, [span for span in words if completion[span[0]].islower()])


def sentence_capitals(completion: str) -> Verdict:
    """Check that the first letter of every sentence is a capital. Margin: minus the sentences where it is not."""
    sentences = sentence_spans(completion)
    firsts = [
        next((index for index in range(start, end) if completion[index].isalpha()), start) for start, end in sentences
    ]
    return each_part_verdict(
        completion, sentences, [(index, index + 1) for index in firsts if completion[index].islower()]
    )


def _all_of(completion: str, wrong: list[Span], has_right_case: bool) -> Verdict:
    if wrong:
        return Verdict(satisfied=False, margin=-float(len(wrong)), evidence=tuple(wrong))
    return whole_text_verdict(completion, 0.0 if has_right_case else -1.0)


def _in_english(completion: str, verdict: Verdict) -> Verdict:
    return verdict if not verdict.satisfied or language_of(completion) == "en" else whole_text_verdict(completion, -1.0)


VERIFIERS = {
    "change_case:all_lowercase": all_lowercase,
    "change_case:all_uppercase": all_uppercase,
    "change_case:capital_word_frequency": capital_word_frequency,
    "change_case:english_capital": english_capital,
    "change_case:english_lowercase": english_lowercase,
    "change_case:sentence_capitals": sentence_capitals,
    "change_case:title_case": title_case,
}
