"""Feasibility: one rule of the solution to a combinatorial problem, by its name."""

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import AfterValidator

from rewards.feasibility.findings import PREFIX, findings
from rewards.feasibility.instance import RULES, RuleName
from rewards.feasibility.problems import from_json
from rewards.feasibility.texts import TextKind
from rewards.verdict import NOT_APPLICABLE, Verdict


def _readable(text: str) -> str:
    """Return the text of an instance. Raises ValueError for any other."""
    from_json(text)
    return text


InstanceText = Annotated[str, AfterValidator(_readable)]
"""The JSON text of an instance, its problem's name in it."""


def rule_verifier(rule: RuleName) -> Callable[..., Verdict]:
    """Return the verifier of a rule; it does not apply to problems and texts that do not have it."""

    def verifier(completion: str, *, instance: InstanceText, text: TextKind) -> Verdict:
        return findings(from_json(instance), completion, text).get(rule, NOT_APPLICABLE)

    verifier.__name__, verifier.__doc__ = rule, RULES[rule]
    return verifier


VERIFIERS: dict[str, Callable[..., Any]] = {PREFIX + rule: rule_verifier(rule) for rule in RULES}
