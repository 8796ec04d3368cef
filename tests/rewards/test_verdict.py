"""Verdict: contradictions are errors."""

import pytest

from rewards.verdict import NOT_APPLICABLE, Verdict


@pytest.mark.parametrize(
    ("satisfied", "margin", "evidence"),
    [
        (True, -1.0, ()),
        (False, 0.0, ()),
        (None, 1.0, ()),
        (True, float("nan"), ()),
        (True, float("inf"), ()),
        (True, 0.0, ((2, 2),)),
        (True, 0.0, ((-1, 2),)),
    ],
)
def test_verdict__contradictions_are_errors(satisfied, margin, evidence):
    with pytest.raises(ValueError):
        Verdict(satisfied=satisfied, margin=margin, evidence=evidence)


def test_not_applicable__has_no_margin_and_no_evidence():
    assert (NOT_APPLICABLE.satisfied, NOT_APPLICABLE.margin, NOT_APPLICABLE.evidence) == (None, 0, ())
