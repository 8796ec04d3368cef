"""LLM rewriting: uses a language model to reword prompts, find incompatible rules and describe texts."""

from collections.abc import Callable, Sequence
from itertools import combinations

from data.problems import Problem

AskModel = Callable[[str], str]
"""Sends a message to a language model and returns its answer."""

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


def prompt_rewriter(ask: AskModel) -> Callable[[str], str]:
    """Return a function that rewords a prompt, for `data.paraphrase`."""
    return lambda template: ask(REWORD.format(message=template)).strip()


def incompatible_pair(problem: Problem, ask: AskModel) -> tuple[str, str] | None:
    """Return the first two constraints that the model calls incompatible; None if there are none.

    Used in addition to the rules of `data.conflicts`, never instead: any answer other than no counts as yes.
    """
    for first, second in combinations(problem.constraints, 2):
        answer = ask(COMPATIBLE.format(first=first.text, second=second.text))
        if answer.strip().lower().startswith("no"):
            return first.text, second.text
    return None


def attribute_describer(ask: AskModel, *, number: int = 5) -> Callable[[str], Sequence[str]]:
    """Return a function that describes a text, for `describe` of `data.attribute_prompts`.

    It returns soft attributes, one for each line of the model's answer, without bullets and numbers.
    """

    def describe(text: str) -> list[str]:
        lines = ask(DESCRIBE.format(number=number, text=text)).splitlines()
        lines = [line.strip().lstrip("-*•0123456789.) ").strip() for line in lines]
        return [line.rstrip(".") for line in lines if line][:number]

    return describe
