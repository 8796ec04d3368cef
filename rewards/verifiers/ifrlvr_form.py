"""IF-RLVR's rules about form and copied text (arXiv 2507.02833, the training constraints), by open-instruct's ids."""

from itertools import zip_longest

from rewards.count_verdicts import each_part_verdict, forbidden_verdict, whole_text_verdict
from rewards.semantics import Semantics
from rewards.text import enclosed_spans, paragraph_spans, published_sentence_spans
from rewards.verdict import Verdict
from rewards.verifier_args import Count, Ordinal, Phrase
from rewards.verifiers.combination import ANSWER_DIVIDER
from rewards.verifiers.ifbench_words import TOKEN
from rewards.verifiers.keywords import letter_frequency
from rewards.verifiers.length import number_paragraphs
from rewards.verifiers.punctuation import mark_spans

DOTS = ".\u2024\u2025\u2026\u3002\uff0e\uff61"
EXCLAMATION_MARKS = "!\u203c\u2048\u2049\ufe15\ufe57\uff01"


def repeat_phrase(completion: str, *, phrase: Phrase, small_n: Count) -> Verdict:
    """Check that the phrase occurs `small_n` times, each time with one inner word replaced.

    Margin: minus the missing, extra and wrong repetitions.
    """
    words = phrase.split()
    spans = enclosed_spans(completion, f"{words[0]} ", f" {words[-1]}")
    wrong = [span for span in spans if _num_different(completion[slice(*span)].split(), words) != 1]
    margin = -float(abs(len(spans) - small_n) + len(wrong))
    return Verdict(
        satisfied=margin == 0, margin=margin, evidence=tuple(wrong or spans[0 if margin == 0 else small_n :])
    )


def _num_different(words: list[str], others: list[str]) -> int:
    """Return the number of places at which two lists of words differ; with other lengths, more than one."""
    different = sum(word != other for word, other in zip_longest(words, others))
    return different if len(words) == len(others) else different + 1


def copied(completion: str, *, prompt_to_repeat: Phrase) -> Verdict:
    """Check that the text is the request, letter case ignored. Margin 0 or -1."""
    return whole_text_verdict(completion, -float(not _is_copy(completion, prompt_to_repeat)))


def copying_multiple(completion: str, *, prompt_to_repeat: Phrase, N: Ordinal) -> Verdict:
    """Check for `N` copies of the request divided by six asterisks, letter case ignored.

    Margin: minus the missing, extra and wrong copies.
    """
    copies = completion.split(ANSWER_DIVIDER)
    wrong = sum(not _is_copy(copy, prompt_to_repeat) for copy in copies)
    return whole_text_verdict(completion, -abs(len(copies) - N) - wrong)


def copy_span_idx(completion: str, *, prompt_to_repeat: Phrase, n_start: Count, n_end: Count) -> Verdict:
    """Check that the text is the request's characters from `n_start` up to `n_end`. Margin 0 or -1."""
    return whole_text_verdict(completion, -float(not _is_copy(completion, prompt_to_repeat[n_start:n_end])))


def _is_copy(text: str, original: str) -> bool:
    return text.strip().lower() == original.strip().lower()


def sentence_hyphens(completion: str) -> Verdict:
    """Check that hyphens without spaces connect the sentences. Margin: minus the sentences that they do not."""
    spaced = completion.replace("-", " ")
    expected = [spaced[start:end] for start, end in published_sentence_spans(spaced)]
    pairs = zip(completion.split("-"), expected, strict=False)
    return whole_text_verdict(completion, -sum(part != part.strip() or part != sentence for part, sentence in pairs))


def square_brackets(completion: str) -> Verdict:
    """Check that each word is in square brackets. Margin: minus the words that are not."""
    words = [match.span() for match in TOKEN.finditer(completion)]
    wrong = [(start, end) for start, end in words if completion[start] != "[" or completion[end - 1] != "]"]
    return each_part_verdict(completion, words, wrong)


def bigram_wrapping(completion: str, *, semantics: Semantics) -> Verdict:
    """Check that every two words are in double angular brackets, <<so it>> <<is here>>. Margin: minus the others.

    reward: a last word alone needs them, too. eval: it does not.
    """
    words = [match.span() for match in TOKEN.finditer(completion)]
    pairs = [(words[index][0], words[min(index + 1, len(words) - 1)][1]) for index in range(0, len(words), 2)]
    if semantics == "eval" and len(words) % 2:
        pairs = pairs[:-1]
    wrong = [(start, end) for start, end in pairs if not _is_wrapped(completion[start:end])]
    return each_part_verdict(completion, words, wrong)


def _is_wrapped(text: str) -> bool:
    return text.startswith("<<") and text.endswith(">>")


def two_paragraphs(completion: str, *, semantics: Semantics) -> Verdict:
    """Check for two parts divided by `***`, under both semantics as IFEval's `number_paragraphs` has it."""
    return number_paragraphs(completion, num_paragraphs=2, semantics=semantics)


def two_blocks(completion: str, *, semantics: Semantics) -> Verdict:
    """Check for two paragraphs. Margin: minus the missing, extra and blank ones.

    reward: divided by blank lines. eval: by two line feeds, none between but the outermost blank.
    """
    if semantics == "reward":
        return whole_text_verdict(completion, -abs(len(paragraph_spans(completion)) - 2))
    filled = [bool(part.strip()) for part in completion.split("\n\n")]
    return whole_text_verdict(completion, -abs(sum(filled) - 2) - filled[1:-1].count(False))


def no_dots(completion: str, *, semantics: Semantics) -> Verdict:
    """Check that there is no full stop. Margin: minus the stops. reward: those of all scripts. eval: the Latin one."""
    return forbidden_verdict(mark_spans(completion, "." if semantics == "eval" else DOTS))


def no_exclamation_marks(completion: str, *, semantics: Semantics) -> Verdict:
    """Check that there is no exclamation mark. Margin: minus the marks. reward: all variants. eval: the Latin one."""
    return forbidden_verdict(mark_spans(completion, "!" if semantics == "eval" else EXCLAMATION_MARKS))


VERIFIERS = {
    "copy:copy": copied,
    "copy:copying_multiple": copying_multiple,
    "copy:copying_simple": copied,
    "copy:repeat_phrase": repeat_phrase,
    "detectable_format:bigram_wrapping": bigram_wrapping,
    "detectable_format:sentence_hyphens": sentence_hyphens,
    "detectable_format:square_brackets": square_brackets,
    "letters:letter_counting2": letter_frequency,
    "new:copy_span_idx": copy_span_idx,
    "paragraphs:paragraphs": two_paragraphs,
    "paragraphs:paragraphs2": two_blocks,
    "punctuation:punctuation_dot": no_dots,
    "punctuation:punctuation_exclamation": no_exclamation_marks,
}
