"""Paraphrase: a prompt said another way by a model, its constraints word for word where we can find them."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from data.problems import ConstraintSpec, Problem, request, user_text
from rewards.errors import InputError
from rewards.topic import request_stems

Rewrite = Callable[[str], str]
"""A message in which `[[1]], [[2]], ...` stand for the constraints -> the same message in other words."""


def paraphrase(problem: Problem, rewrite: Rewrite, *, attempts: int = 3, kept_topic: float = 0.5) -> Problem | None:
    """The problem with another wording around the same constraints, or None if no attempt passes the checks.

    The checks: every placeholder comes back exactly once, and at least `kept_topic` of the request's key words are
    still in the message. Only a problem whose constraints have one span each can be paraphrased (ValueError).
    """
    template = mask(problem)
    for _ in range(attempts):
        rewritten = rewrite(template)
        if _placeholders_kept(rewritten, len(problem.constraints)) and _topic_kept(problem, rewritten, kept_topic):
            return unmask(problem, rewritten)
    return None


def mask(problem: Problem) -> str:
    """The user message with `[[number]]` in the place of each constraint, numbered from 1."""
    if any(len(spec.spans) != 1 for spec in problem.constraints):
        raise InputError(f"cannot paraphrase {problem.problem_id!r}: each constraint needs exactly one span")
    text = user_text(problem)
    placed = sorted(enumerate(problem.constraints, 1), key=lambda item: item[1].spans[0], reverse=True)
    for number, spec in placed:
        start, end = spec.spans[0]
        text = text[:start] + f"[[{number}]]" + text[end:]
    return text


def unmask(problem: Problem, template: str) -> Problem:
    """The problem with the template as its user message, the constraints filled in and their spans known."""
    order = sorted(range(len(problem.constraints)), key=lambda place: template.index(f"[[{place + 1}]]"))
    text, specs, rest = "", list(problem.constraints), template
    for place in order:
        before, rest = rest.split(f"[[{place + 1}]]")
        start = len(text) + len(before)
        text += before + specs[place].text
        specs[place] = replace(specs[place], spans=((start, len(text)),))
    return _with_text(problem, text + rest, specs)


def _with_text(problem: Problem, text: str, specs: Sequence[ConstraintSpec]) -> Problem:
    messages = (*problem.messages[:-1], {"role": "user", "content": text})
    extras = {**problem.extras, "request": request(problem), "paraphrased": True}
    return replace(problem, messages=messages, constraints=tuple(specs), extras=extras)


def _placeholders_kept(text: str, number: int) -> bool:
    return all(text.count(f"[[{place}]]") == 1 for place in range(1, number + 1)) and text.count("[[") == number


def _topic_kept(problem: Problem, text: str, share: float) -> bool:
    wanted = request_stems(request(problem))
    return len(wanted & request_stems(text)) >= share * len(wanted)
