"""Findings: the verdict of each rule about the text of a solution."""

from collections.abc import Mapping, Sequence
from functools import lru_cache

from rewards.feasibility.answer import Answer, Unreadable
from rewards.feasibility.instance import Instance, RuleName
from rewards.feasibility.texts import TextKind, read
from rewards.verdict import Span, Verdict

PREFIX = "feasibility:"
"""Of the kinds of these rules; what follows is the name."""
CACHED = 256
"""Latest texts of which the findings are kept: each is asked for once a rule."""


def rules_of(instance: Instance | type[Instance], kind: TextKind) -> tuple[RuleName, ...]:
    """Return the rules that a text of this kind must keep."""
    return ("form", *instance.rules, *(("sums",) if kind == "stepwise" else ()))


@lru_cache(maxsize=CACHED)
def findings(instance: Instance, text: str, kind: TextKind) -> Mapping[RuleName, Verdict]:
    """Return the verdict of each rule about a text; the margin of a broken one is minus the number of faults.

    A broken rule has the steps that break it as its evidence, or what ends the text where something is missing; a kept
    one all steps. Where a text cannot be read, each rule is broken from there to its end.
    """
    answer = read(instance, text, kind)
    if isinstance(answer, Unreadable):
        broken = _broken([(answer.start, len(text))] if answer.start < len(text) else [], len(text) or 1)
        return dict.fromkeys(rules_of(instance, kind), broken)
    steps = _kept(sorted(set(answer.steps.values())))
    verdicts: dict[RuleName, Verdict] = {"form": _kept([(0, len(text))])}
    for rule, places in instance.violations(answer.solution).items():
        if rule in instance.rules:
            spans = sorted({answer.steps[place] for place in places})
            verdicts[rule] = _broken(spans, len(places)) if places else steps
    if kind == "stepwise":
        verdicts["sums"] = _broken(answer.wrong, len(answer.wrong)) if answer.wrong else _kept(answer.right)
    return verdicts


def feasible_solution(instance: Instance, text: str, kind: TextKind) -> Answer | None:
    """Return what a text states if it keeps all rules."""
    if not all(verdict.satisfied for verdict in findings(instance, text, kind).values()):
        return None
    answer = read(instance, text, kind)
    assert isinstance(answer, Answer), "a text that cannot be read keeps no rule"
    return answer


def _kept(spans: Sequence[Span]) -> Verdict:
    return Verdict(satisfied=True, margin=0.0, evidence=tuple(spans))


def _broken(spans: Sequence[Span], faults: int) -> Verdict:
    return Verdict(satisfied=False, margin=-float(faults), evidence=tuple(spans))
