"""Combination: two answers, or the request repeated before the answer."""

from rewards.arguments import Phrase
from rewards.relations import whole_text
from rewards.text import first_span, strip_span
from rewards.verdict import Verdict

ANSWER_DIVIDER = "******"


def two_responses(completion: str) -> Verdict:
    """Two different answers divided by six asterisks. Margin: minus the answers too many or missing. (IFEval)"""
    parts = [part.strip() for part in completion.split(ANSWER_DIVIDER)]
    answers = [part for part in parts if part]
    blank_inside = sum(not part for part in parts[1:-1])
    same = len(answers) == 2 and answers[0] == answers[1]
    return whole_text(completion, -abs(len(answers) - 2) - blank_inside - same)


def repeat_prompt(completion: str, *, prompt_to_repeat: Phrase) -> Verdict:
    """The text begins with the request repeated, letter case ignored. Margin 0 or -1. (IFEval)"""
    start, end = strip_span(completion, (0, len(completion)))
    wanted = prompt_to_repeat.strip()
    if completion[start:end].lower().startswith(wanted.lower()):
        return Verdict(satisfied=True, margin=0.0, evidence=((start, min(start + len(wanted), end)),))
    first = first_span(completion)
    return Verdict(satisfied=False, margin=-1.0, evidence=(first,) if first[0] < first[1] else ())


VERIFIERS = {
    "combination:two_responses": two_responses,
    "combination:repeat_prompt": repeat_prompt,
}
