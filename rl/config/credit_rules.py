"""Credit rules by name: what each does, needs and reads; their functions are in `rl/credit/rules/`."""

from collections.abc import Set
from dataclasses import dataclass
from typing import Literal

Need = Literal["probe", "evidence", "all_heads"]
"""`probe`: FAI and WAAD; without them the rule weighs all tokens alike. `evidence`: what each verdict is about, and
one channel of weights for each constraint. `all_heads`: FAI and WAAD of all heads, whatever `probe.roles` names."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CreditRule:
    """One row of the table.

    Example:
        CreditRule(summary="Amplify the first tokens.", params={"q", "gamma_amp"}, is_control=True)
    """

    summary: str
    needs: Set[Need] = frozenset()
    params: Set[str] = frozenset()
    """Settings of `credit` that its function reads from its `RuleParams`."""
    is_control: bool = False
    """It amplifies as much as another rule and knows less: for comparison."""


AMPLIFY = frozenset({"q", "gamma_amp"})
EVIDENCE = frozenset({"evidence_weight", "without_evidence"})
COUPLED = AMPLIFY | {"alpha", "reach", "waad_quantile", "delta_quantile"}

CREDIT_RULES: dict[str, CreditRule] = {
    "uniform": CreditRule(summary="Weigh all tokens alike: plain GRPO or DPO, bit for bit."),
    "global_anchor": CreditRule(
        summary="Amplify anchors: the tokens that later tokens attend to most (highest FAI).",
        needs={"probe"},
        params=AMPLIFY,
    ),
    "local_chunk": CreditRule(
        summary="Amplify preplan tokens: those where a new chunk begins (largest change of WAAD).",
        needs={"probe"},
        params=AMPLIFY,
    ),
    "coupled": CreditRule(
        summary="Amplify anchors, and hand a share of a dominated anchor's bonus to the token that introduces it.",
        needs={"probe"},
        params=COUPLED,
    ),
    "constraint": CreditRule(
        summary="Put each constraint's share of the advantage on the tokens that satisfy or violate it.",
        needs={"evidence"},
        params=EVIDENCE,
    ),
    "combined": CreditRule(
        summary="As `constraint`, and share the rest of the advantage as `coupled` does.",
        needs={"evidence"},
        params=COUPLED | EVIDENCE,
    ),
    "random": CreditRule(summary="Amplify tokens drawn at random.", params=AMPLIFY, is_control=True),
    "shuffled": CreditRule(
        summary="Shuffle the weights of the rule `credit.base` among each completion's tokens.",
        needs={"probe"},
        params={"base"},
        is_control=True,
    ),
    "position": CreditRule(summary="Amplify the first tokens.", params=AMPLIFY, is_control=True),
    "entropy": CreditRule(
        summary="Amplify the tokens that the policy was least sure of.", params=AMPLIFY, is_control=True
    ),
    "bottom": CreditRule(
        summary="Amplify the tokens with the lowest FAI.", needs={"probe"}, params=AMPLIFY, is_control=True
    ),
    "all_heads": CreditRule(
        summary="Follow the rule `credit.base`, with FAI and WAAD of all heads instead of those of `probe.roles`.",
        needs={"probe", "all_heads"},
        params={"base"},
        is_control=True,
    ),
}
"""By the name of its function, which is its name in `credit.rule`."""

BASES = tuple(name for name, rule in CREDIT_RULES.items() if rule.needs == {"probe"} and not rule.is_control)
"""Rules that `shuffled` and `all_heads` can be the control of."""

RULE_PARAMS = frozenset(name for rule in CREDIT_RULES.values() for name in rule.params)

CUSTOM_RULE = CreditRule(summary="A function in a file of the user's.", needs={"probe"}, params=RULE_PARAMS)


def credit_rule(name: str) -> CreditRule:
    """Return the table's row for a rule; one that the user wrote may read everything but evidence."""
    return CREDIT_RULES.get(name, CUSTOM_RULE)


def params_read(name: str, base: str) -> frozenset[str]:
    """Return the settings of `credit` that a rule reads, itself or through its base."""
    params = frozenset(credit_rule(name).params)
    return params | CREDIT_RULES[base].params if "base" in params else params
