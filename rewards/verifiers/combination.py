"""Combination verifiers: several answers in one, the request repeated first, no sentence twice."""

from rewards.count_verdicts import forbidden_verdict, position_verdict, whole_text_verdict
from rewards.folding import plain
from rewards.phrases import phrase_at_start
from rewards.semantics import Semantics
from rewards.text import TERM, first_span, has_word, sentence_spans, strip_span
from rewards.verdict import Span, Verdict
from rewards.verifier_args import Ordinal, Phrase

ANSWER_DIVIDER = "******"


def two_responses(completion: str, *, semantics: Semantics) -> Verdict:
    """Check for two different answers divided by six asterisks. Margin: minus the extra or missing answers. (IFEval)

    reward: as for `parts`. eval: answers of marks alone count, and so do those that differ in letter case alone.
    """
    if semantics == "reward":
        return parts(completion, divider=ANSWER_DIVIDER, num_parts=2)
    answers = [answer.strip() for answer in completion.split(ANSWER_DIVIDER)]
    return _parts_verdict(completion, answers, num_parts=2)


def parts(completion: str, *, divider: Phrase, num_parts: Ordinal) -> Verdict:
    """Check for a number of different parts divided by the divider; only the outermost may be blank.

    A part without a letter or digit is blank, and one that reads like another repeats it.
    Margin: minus the parts that are missing, extra, blank or repeated.
    """
    stripped = [plain(part).strip() if has_word(part) else "" for part in completion.split(divider)]
    return _parts_verdict(completion, stripped, num_parts=num_parts)


def _parts_verdict(completion: str, stripped: list[str], *, num_parts: int) -> Verdict:
    blank_inside = sum(not part for part in stripped[1:-1])
    filled = [part for part in stripped if part]
    repeated = len(filled) - len(set(filled))
    return whole_text_verdict(completion, -abs(len(filled) - num_parts) - blank_inside - repeated)


def repeat_prompt(completion: str, *, prompt_to_repeat: Phrase, semantics: Semantics) -> Verdict:
    """Check that the text begins with the request repeated, letter case ignored. Margin 0 or -1. (IFEval)

    reward: quotation marks and other variants of characters may differ. eval: no other character may.
    """
    if semantics == "reward":
        repeated = phrase_at_start(completion, prompt_to_repeat)
        return position_verdict(repeated is not None, repeated or first_span(completion))
    start, end = strip_span(completion, (0, len(completion)))
    expected = prompt_to_repeat.strip()
    repeats = completion[start:end].lower().startswith(expected.lower())
    return position_verdict(repeats, (start, min(start + len(expected), end)) if repeats else first_span(completion))


def no_repeated_sentence(completion: str) -> Verdict:
    """Check that no sentence repeats an earlier one, letter case ignored. Margin: minus the repeated ones."""
    seen: set[tuple[str, ...]] = set()
    repeated: list[Span] = []
    for start, end in sentence_spans(completion):
        words = tuple(match[0].lower() for match in TERM.finditer(completion, start, end))
        if words and words in seen:
            repeated.append((start, end))
        seen.add(words)
    return forbidden_verdict(repeated)


VERIFIERS = {
    "combination:no_repeated_sentence": no_repeated_sentence,
    "combination:parts": parts,
    "combination:repeat_prompt": repeat_prompt,
    "combination:two_responses": two_responses,
}
