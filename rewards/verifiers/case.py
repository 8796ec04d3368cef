"""Letter-case verifiers: all capitals, none, one at the start of each word, or a number of words in capitals."""

from rewards.count_verdicts import Relation, count_verdict, each_part_verdict, whole_text_verdict
from rewards.language import language_of, speaks
from rewards.semantics import Semantics
from rewards.text import DOTTED, character_spans, sentence_spans
from rewards.tokens import token_spans
from rewards.verdict import Span, Verdict
from rewards.verifier_args import Count


def capital_word_frequency(
    completion: str, *, capital_frequency: Count, capital_relation: Relation, semantics: Semantics
) -> Verdict:
    """Check the number of words in capitals. Margin in words. (IFEval)

    reward: words as written, such as "A-OK" or "U.S". eval: tokens as NLTK cuts them.
    """
    words = token_spans(completion) if semantics == "eval" else dotted_spans(completion)
    capital_words = [(start, end) for start, end in words if completion[start:end].isupper()]
    return count_verdict(capital_words, capital_frequency, capital_relation)


def english_capital(completion: str, *, semantics: Semantics) -> Verdict:
    """Check for English in capitals. Margin: minus the small letters, or -1 for another language. (IFEval)

    reward: the language is that of the text in small letters. eval: that of the text as it is, which langdetect takes
    for another language in one text of ten; without a language, a text passes.
    """
    return _in_english(completion, all_uppercase(completion), semantics)


def english_lowercase(completion: str, *, semantics: Semantics) -> Verdict:
    """Check for English in small letters. Margin: minus the capitals, or -1 for another language. (IFEval)

    reward: a text without a language fails. eval: it passes.
    """
    return _in_english(completion, all_lowercase(completion), semantics)


def all_uppercase(completion: str) -> Verdict:
    """Check that there are letters and none is a small one. Margin: minus the small letters."""
    return _without(completion, character_spans(completion, str.islower))


def all_lowercase(completion: str) -> Verdict:
    """Check that there are letters and none is a capital. Margin: minus the capitals."""
    return _without(completion, character_spans(completion, str.isupper))


def title_case(completion: str) -> Verdict:
    """Check that every word starts with a capital, words that start with a digit aside. Margin: minus the others.

    A word may have full stops inside: "Node.js" is one.
    """
    words = [(start, end) for start, end in dotted_spans(completion) if completion[start].isalpha()]
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


def dotted_spans(text: str) -> list[Span]:
    """Return the spans of the words of a text as written, inner full stops included."""
    return [match.span() for match in DOTTED.finditer(text)]


def _without(completion: str, wrong: list[Span]) -> Verdict:
    if wrong:
        return Verdict(satisfied=False, margin=-float(len(wrong)), evidence=tuple(wrong))
    return whole_text_verdict(completion, 0.0 if any(map(str.isalpha, completion)) else -1.0)


def _in_english(completion: str, verdict: Verdict, semantics: Semantics) -> Verdict:
    if not verdict.satisfied:
        return verdict
    english = language_of(completion) in ("en", None) if semantics == "eval" else speaks(completion, "en")
    return verdict if english else whole_text_verdict(completion, -1.0)


VERIFIERS = {
    "change_case:all_lowercase": all_lowercase,
    "change_case:all_uppercase": all_uppercase,
    "change_case:capital_word_frequency": capital_word_frequency,
    "change_case:english_capital": english_capital,
    "change_case:english_lowercase": english_lowercase,
    "change_case:sentence_capitals": sentence_capitals,
    "change_case:title_case": title_case,
}
