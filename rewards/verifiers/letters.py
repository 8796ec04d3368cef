"""Letter verifiers: how words, sentences and lines begin (alliteration, acrostics), and palindromes."""

from collections.abc import Sequence
from itertools import groupby

from rewards.count_verdicts import Relation, count_verdict, each_part_verdict, relation_margin
from rewards.text import line_spans, sentence_spans, term_spans
from rewards.verdict import Span, Verdict
from rewards.verifier_args import Count, Letter, Letters, Ordinal


def first_letter(text: str, span: Span) -> Span:
    """Return the span of the first letter in a part of a text, or of its first character if it has none."""
    start, end = span
    index = next((index for index in range(start, end) if text[index].isalpha()), start)
    return index, index + 1


def acrostic(completion: str, *, word: Letters) -> Verdict:
    """Check that the lines' first letters spell the word, letter case ignored. Margin: minus wrong or missing lines."""
    firsts = [first_letter(completion, line) for line in line_spans(completion)]
    expected = word.lower().ljust(len(firsts))
    wrong = [span for span, letter in zip(firsts, expected, strict=False) if completion[slice(*span)].lower() != letter]
    margin = float(-len(wrong) - max(0, len(word) - len(firsts)))
    return Verdict(satisfied=margin == 0, margin=margin, evidence=tuple(wrong if margin else firsts))


def alliteration(completion: str, *, num_words: Ordinal) -> Verdict:
    """Check for `num_words` words in a row that begin with the same letter.

    Margin: the number of words in the longest such row minus `num_words`.
    """
    spans = [span for span in term_spans(completion) if completion[span[0]].isalpha()]
    runs = [list(run) for _, run in groupby(spans, key=lambda span: completion[span[0]].lower())]
    longest = max(runs, key=len, default=[])
    margin = relation_margin(len(longest), num_words, "at least")
    return Verdict(satisfied=margin >= 0, margin=margin, evidence=tuple(longest) if margin >= 0 else ())


def word_initial(completion: str, *, letter: Letter) -> Verdict:
    """Check that every word begins with the letter, letter case ignored. Margin: minus the words that do not."""
    return _all_begin(completion, term_spans(completion), letter)


def sentence_initial(completion: str, *, letter: Letter) -> Verdict:
    """Check that every sentence begins with the letter, letter case ignored. Margin: minus those that do not."""
    return _all_begin(completion, sentence_spans(completion), letter)


def line_initial(completion: str, *, letter: Letter) -> Verdict:
    """Check that every line's first letter is this one, letter case ignored. Margin: minus the lines that differ."""
    return _all_begin(completion, line_spans(completion), letter)


def alphabetical_sentences(completion: str) -> Verdict:
    """Check that the first letters of two or more sentences are in order. Margin: minus those out of order."""
    firsts = [first_letter(completion, sentence) for sentence in sentence_spans(completion)]
    letters = [completion[slice(*span)].lower() for span in firsts]
    return each_part_verdict(
        completion,
        firsts[1:],
        [firsts[index] for index in range(1, len(firsts)) if letters[index] < letters[index - 1]],
    )


def palindromes(completion: str, *, num_palindromes: Count, relation: Relation) -> Verdict:
    """Check the number of palindromes of three letters or more. Margin in words."""
    words = [(span, completion[slice(*span)].lower()) for span in term_spans(completion)]
    return count_verdict(
        [span for span, word in words if len(word) > 2 and word == word[::-1]], num_palindromes, relation
    )


def _all_begin(completion: str, parts: Sequence[Span], letter: str) -> Verdict:
    firsts = [first_letter(completion, part) for part in parts]
    return each_part_verdict(
        completion, firsts, [span for span in firsts if completion[slice(*span)].lower() != letter.lower()]
    )


VERIFIERS = {
    "letters:acrostic": acrostic,
    "letters:alliteration": alliteration,
    "letters:alphabetical_sentences": alphabetical_sentences,
    "letters:line_initial": line_initial,
    "letters:palindromes": palindromes,
    "letters:sentence_initial": sentence_initial,
    "letters:word_initial": word_initial,
}
