"""IFBench's rules about sentences: their types, lengths and alliterations (arXiv 2507.02833), by IFBench's ids."""

import re
import string
from itertools import groupby, pairwise

from rewards.count_verdicts import each_part_verdict, position_verdict, whole_text_verdict
from rewards.semantics import Semantics
from rewards.text import lower_words, published_sentence_spans
from rewards.verdict import Verdict
from rewards.verifier_args import Count, Ordinal, Phrase
from rewards.verifiers.ifbench_words import bare_words

PERCENTAGE_TOLERANCE = 2


def _sentences(text: str) -> list[str]:
    return [text[start:end] for start, end in published_sentence_spans(text)]


def _num_ending(text: str, mark: str) -> int:
    return sum(sentence.endswith(mark) for sentence in _sentences(text))


def sentence_type(completion: str, *, semantics: Semantics) -> Verdict:
    """Check for twice as many sentences with a full stop as questions. Margin: minus the difference.

    reward: at least one question. eval: none of either is right, too.
    """
    statements, questions = _num_ending(completion, "."), _num_ending(completion, "?")
    missing = semantics == "reward" and not questions
    return whole_text_verdict(completion, -abs(statements - 2 * questions) - missing)


def sentence_balance(completion: str, *, semantics: Semantics) -> Verdict:
    """Check for equally many statements, questions and exclamations. Margin: minus the largest difference.

    reward: at least one of each. eval: none of any is right, too.
    """
    counts = [_num_ending(completion, mark) for mark in ".?!"]
    missing = semantics == "reward" and not any(counts)
    return whole_text_verdict(completion, min(counts) - max(counts) - missing)


def overlap(completion: str, *, reference_text: Phrase, percentage: Count) -> Verdict:
    """Check that `percentage` % of the different runs of three characters, give or take 2, are in the reference.

    Margin in percentage points.
    """
    runs, reference = ({text[i : i + 3] for i in range(len(text) - 2)} for text in (completion, reference_text))
    if not runs:
        return whole_text_verdict(completion, -1.0)
    share = 100 * len(runs & reference) / len(runs)
    return whole_text_verdict(completion, PERCENTAGE_TOLERANCE - abs(share - percentage))


def sentence_words(completion: str, *, semantics: Semantics) -> Verdict:
    """Check for three sentences of equal length in characters. Margin: minus extra sentences, lengths and words.

    reward: no word occurs twice. eval: words are not looked at.
    """
    sentences = _sentences(completion)
    words = lower_words(completion)
    repeated = len(words) - len(set(words)) if semantics == "reward" else 0
    lengths = len(set(map(len, sentences)))
    return whole_text_verdict(completion, -abs(len(sentences) - 3) - max(0, lengths - 1) - repeated)


def keyword(completion: str, *, word: Phrase, N: Ordinal) -> Verdict:
    """Check that sentence `N` has the word, letter case ignored. Margin 0 or -1."""
    sentences = published_sentence_spans(completion)
    if len(sentences) < N:
        return position_verdict(False, None)
    start, end = sentences[N - 1]
    found = re.search(rf"\b{re.escape(word)}\b", completion[start:end], re.IGNORECASE)
    return position_verdict(
        found is not None, (start + found.start(), start + found.end()) if found else sentences[N - 1]
    )


def increment(completion: str, *, small_n: Count) -> Verdict:
    """Check that each sentence has exactly `small_n` words more than the one before. Margin: minus the others."""
    spans = published_sentence_spans(completion)
    counts = [len(bare_words(completion[start:end])) for start, end in spans]
    wrong = [
        span for (before, after), span in zip(pairwise(counts), spans[1:], strict=False) if after != before + small_n
    ]
    return each_part_verdict(completion, spans, wrong)


def alliteration_increment(completion: str) -> Verdict:
    """Check that each sentence has more words in alliterations than the one before. Margin: minus those that do not.

    An alliteration is a run of two words or more with the same first letter.
    """
    spans = published_sentence_spans(completion)
    counts = [_alliterated(completion[start:end]) for start, end in spans]
    wrong = [span for (before, after), span in zip(pairwise(counts), spans[1:], strict=False) if after <= before]
    return each_part_verdict(completion, spans, wrong)


def _alliterated(sentence: str) -> int:
    words = [stripped for word in sentence.lower().split() if (stripped := word.lstrip(string.punctuation))]
    runs = [len(list(run)) for _, run in groupby(words, key=lambda word: word[0])]
    return sum(size for size in runs if size > 1)


VERIFIERS = {
    "ratio:overlap": overlap,
    "ratio:sentence_balance": sentence_balance,
    "ratio:sentence_type": sentence_type,
    "ratio:sentence_words": sentence_words,
    "sentence:alliteration_increment": alliteration_increment,
    "sentence:increment": increment,
    "sentence:keyword": keyword,
}
