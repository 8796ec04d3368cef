"""Asking a language model: a prompt in other words, whether two rules go together, what a text is like."""

from collections.abc import Callable, Sequence
from itertools import combinations

from data.problems import Problem

Ask = Callable[[str], str]
"""A message -> a language model's answer."""

REWORD = (
    "Say the following message in other words, as another person would ask it. Keep every mark such as [[1]] exactly "
    "once and unchanged: it stands for a sentence that is put in later. Answer with the message alone.\n\n{message}"
)
COMPATIBLE = (
    "Can one answer follow both of these rules at the same time, in a sensible way? Answer with yes or no alone.\n"
    "1. {first}\n2. {second}"
)
DESCRIBE = (
    "Name up to {number} properties of the text below that no program could check: tone, audience, point of view, "
    "style. One a line, each as an instruction such as: use a friendly tone.\n\n{text}"
)


def rewording(ask: Ask) -> Callable[[str], str]:
    """What `data.paraphrase` takes."""
    return lambda template: ask(REWORD.format(message=template)).strip()


def doubted(problem: Problem, ask: Ask) -> tuple[str, str] | None:
    """The first two constraints of which the model says that no answer keeps both; None if it says so of none.

    Asked in addition to the rules of `data.conflicts`, never instead: an answer other than no counts as yes.
    """
    for first, second in combinations(problem.constraints, 2):
        answer = ask(COMPATIBLE.format(first=first.text, second=second.text))
        if answer.strip().lower().startswith("no"):
            return first.text, second.text
    return None


def describing(ask: Ask, *, number: int = 5) -> Callable[[str], Sequence[str]]:
    """What `data.attribute_prompts` takes as `describe`: soft attributes, one a line, bullets and numbers dropped."""

    def describe(text: str) -> list[str]:
        lines = ask(DESCRIBE.format(number=number, text=text)).splitlines()
        said = [line.strip().lstrip("-*•0123456789.) ").strip() for line in lines]
        return [line.rstrip(".") for line in said if line][:number]

    return describe
