"""Combination verifiers: several answers in one, the request repeated first, no sentence twice."""

from rewards.count_verdicts import forbidden_verdict, position_verdict, whole_text_verdict
from rewards.text import TERM, first_span, sentence_spans, strip_span
from rewards.verdict import Span, Verdict
from rewards.verifier_args import Ordinal, Phrase

ANSWER_DIVIDER = "******"


def two_responses(completion: str) -> Verdict:
    """Check for two different answers divided by six asterisks. Margin: minus the extra or missing answers. (IFEval)"""
    return parts(completion, divider=ANSWER_DIVIDER, num_parts=2)


def parts(completion: str, *, divider: Phrase, num_parts: Ordinal) -> Verdict:
    """Check for a number of different parts divided by the divider; only the outermost may be blank.

    Margin: minus the parts that are missing, extra, blank or repeated.
    """
    stripped = [part.strip() for part in completion.split(divider)]
    blank_inside = sum(not part for part in stripped[1:-1])
    filled = [part for part in stripped if part]
    repeated = len(filled) - len(set(filled))
    return whole_text_verdict(completion, -abs(len(filled) - num_parts) - blank_inside - repeated)


def repeat_prompt(completion: str, *, prompt_to_repeat: Phrase) -> Verdict:
    """Check that the text begins with the request repeated, letter case ignored. Margin 0 or -1. (IFEval)"""
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
