"""Combination: several answers in one, the request repeated before the answer, nothing said twice."""

from rewards.count_verdicts import at_place, forbidden, whole_text
from rewards.text import TERM, first_span, sentence_spans, strip_span
from rewards.verdict import Span, Verdict
from rewards.verifier_args import Ordinal, Phrase

ANSWER_DIVIDER = "******"


def two_responses(completion: str) -> Verdict:
    """Two different answers divided by six asterisks. Margin: minus the answers too many or missing. (IFEval)"""
    return parts(completion, divider=ANSWER_DIVIDER, num_parts=2)


def parts(completion: str, *, divider: Phrase, num_parts: Ordinal) -> Verdict:
    """So many different parts divided by the divider, only the outermost blank. Margin: minus those amiss."""
    found = [part.strip() for part in completion.split(divider)]
    blank_inside = sum(not part for part in found[1:-1])
    filled = [part for part in found if part]
    repeated = len(filled) - len(set(filled))
    return whole_text(completion, -abs(len(filled) - num_parts) - blank_inside - repeated)


def repeat_prompt(completion: str, *, prompt_to_repeat: Phrase) -> Verdict:
    """The text begins with the request repeated, letter case ignored. Margin 0 or -1. (IFEval)"""
    start, end = strip_span(completion, (0, len(completion)))
    wanted = prompt_to_repeat.strip()
    repeats = completion[start:end].lower().startswith(wanted.lower())
    return at_place(repeats, (start, min(start + len(wanted), end)) if repeats else first_span(completion))


def no_repeated_sentence(completion: str) -> Verdict:
    """No sentence says the words of an earlier one again, letter case ignored. Margin: minus the repeated ones."""
    seen: set[tuple[str, ...]] = set()
    repeated: list[Span] = []
    for start, end in sentence_spans(completion):
        words = tuple(match[0].lower() for match in TERM.finditer(completion, start, end))
        if words and words in seen:
            repeated.append((start, end))
        seen.add(words)
    return forbidden(repeated)


VERIFIERS = {
    "combination:no_repeated_sentence": no_repeated_sentence,
    "combination:parts": parts,
    "combination:repeat_prompt": repeat_prompt,
    "combination:two_responses": two_responses,
}
