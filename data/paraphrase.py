"""Paraphrase: a prompt reworded by a model, with its constraints unchanged and their new spans known."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from data.problems import ConstraintSpec, Problem, request, user_text
from rewards.errors import InputError
from rewards.topic import request_stems

Rewrite = Callable[[str], str]
"""Rewords a message in which `[[1]], [[2]], ...` stand for the constraints."""


def paraphrase(
    problem: Problem, rewrite: Rewrite, *, attempts: int = 3, min_topic_share: float = 0.5
) -> Problem | None:
    """Return the problem with another wording around the same constraints, or None if no attempt passes the checks.

    The checks: every placeholder comes back exactly once, and at least `min_topic_share` of the request's key words are
    still in the message. Only a problem whose constraints have one span each can be paraphrased (InputError).
    """
    template = mask_constraints(problem)
    for _ in range(attempts):
        rewritten = rewrite(template)
        if _has_all_placeholders(rewritten, len(problem.constraints)) and _keeps_topic(
            problem, rewritten, min_topic_share
        ):
            return fill_in_constraints(problem, rewritten)
    return None


def mask_constraints(problem: Problem) -> str:
    """Return the user message with `[[number]]` in place of each constraint, numbered from 1."""
    if any(len(spec.spans) != 1 for spec in problem.constraints):
        raise InputError(f"cannot paraphrase {problem.problem_id!r}: each constraint needs exactly one span")
    text = user_text(problem)
    by_position = sorted(enumerate(problem.constraints, 1), key=lambda item: item[1].spans[0], reverse=True)
    for number, spec in by_position:
        start, end = spec.spans[0]
        text = text[:start] + f"[[{number}]]" + text[end:]
    return text


def fill_in_constraints(problem: Problem, template: str) -> Problem:
    """Return the problem with the template as its user message, the constraints filled in and their spans known."""
    order = sorted(range(len(problem.constraints)), key=lambda index: template.index(f"[[{index + 1}]]"))
    text, specs, rest = "", list(problem.constraints), template
    for index in order:
        before, rest = rest.split(f"[[{index + 1}]]")
        start = len(text) + len(before)
        text += before + specs[index].text
        specs[index] = replace(specs[index], spans=((start, len(text)),))
    return _with_text(problem, text + rest, specs)


def _with_text(problem: Problem, text: str, specs: Sequence[ConstraintSpec]) -> Problem:
    messages = (*problem.messages[:-1], {"role": "user", "content": text})
    extras = {**problem.extras, "request": request(problem), "paraphrased": True}
    return replace(problem, messages=messages, constraints=tuple(specs), extras=extras)


def _has_all_placeholders(text: str, number: int) -> bool:
    return all(text.count(f"[[{index}]]") == 1 for index in range(1, number + 1)) and text.count("[[") == number


def _keeps_topic(problem: Problem, text: str, share: float) -> bool:
    topic = request_stems(request(problem))
    return len(topic & request_stems(text)) >= share * len(topic)
