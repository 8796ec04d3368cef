"""Verdicts worked out by hand, at least one satisfied and one broken for every kind, and the laws of evidence."""

import runpy
from pathlib import Path

import pytest

from rewards.verdict import Verdict
from rewards.verifiers import known_kinds, verify

README = Path(__file__).parents[2] / "rewards" / "README.md"
PROMPT = "Write about rain.\n\nMention the deep sea."
CASES = [
    case for path in sorted(Path(__file__).parent.glob("cases/*.py")) for case in runpy.run_path(str(path))["CASES"]
]


def cut(text: str, verdict: Verdict) -> list[str]:
    return [text[start:end] for start, end in verdict.evidence]


def without_evidence(text: str, verdict: Verdict) -> str:
    for start, end in sorted(verdict.evidence, reverse=True):
        text = text[:start] + text[end:]
    return text


@pytest.mark.parametrize(("kind", "kwargs", "text", "margin", "evidence"), CASES)
def test_verify__margin_and_evidence(kind, kwargs, text, margin, evidence):
    verdict = verify(kind, text, prompt=PROMPT, **kwargs)
    assert (verdict.satisfied, verdict.margin) == (margin >= 0, margin)
    assert cut(text, verdict) == ([text] if evidence is ... else evidence)


def test_cases__show_every_kind_satisfied_and_broken():
    satisfied = {kind for kind, _, _, margin, _ in CASES if margin >= 0}
    broken = {kind for kind, _, _, margin, _ in CASES if margin < 0}
    assert satisfied == broken == set(known_kinds())


@pytest.mark.parametrize("case", [case for case in CASES if case[3] >= 0 and case[4]])
def test_evidence__removing_it_breaks_a_satisfied_rule(case):
    kind, kwargs, text, _, _ = case
    verdict = verify(kind, text, prompt=PROMPT, **kwargs)
    assert not verify(kind, without_evidence(text, verdict), prompt=PROMPT, **kwargs).satisfied


FALLS_SHORT = ("startend:quotation", "json:keys", "feasibility:all", "feasibility:sums")
"""Kinds whose evidence is the part that is incomplete, rather than the part that is too much."""


@pytest.mark.parametrize(
    "case", [case for case in CASES if case[3] < 0 and case[4] not in (..., []) and case[0] not in FALLS_SHORT]
)
def test_evidence__removing_it_never_worsens_a_broken_rule(case):
    kind, kwargs, text, margin, _ = case
    verdict = verify(kind, text, prompt=PROMPT, **kwargs)
    assert verify(kind, without_evidence(text, verdict), prompt=PROMPT, **kwargs).margin >= margin


def evidence_table() -> str:
    """Return the table of `rewards/README.md`: what the evidence of each kind is, as its cases show it."""
    names = {"whole": "the whole text", "part": "what it is about", "none": "nothing"}
    found: dict[str, tuple[set[str], set[str]]] = {}
    for kind, _, _, margin, evidence in CASES:
        where = "whole" if evidence is ... else "part" if evidence else "none"
        found.setdefault(kind, (set(), set()))[margin < 0].add(where)
    kinds: dict[tuple[str, ...], list[str]] = {}
    for kind, sides in sorted(found.items()):
        row = tuple(" or ".join(name for where, name in names.items() if where in side) for side in sides)
        kinds.setdefault(row, []).append(f"`{kind}`")
    rows = [f"| {holds} | {fails} | {', '.join(members)} |" for (holds, fails), members in sorted(kinds.items())]
    return "\n".join(["| evidence when it holds | when it fails | kinds |", "|---|---|---|", *rows])


def test_readme__says_what_the_evidence_of_every_kind_is():
    table = evidence_table()
    assert table in README.read_text(encoding="utf-8"), f"rewards/README.md should say:\n{table}"
