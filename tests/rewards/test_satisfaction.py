"""Satisfaction: verdicts become one number."""

import pytest

from rewards.satisfaction import (
    all_satisfied,
    graded_satisfied,
    mean_satisfied,
    num_satisfied,
    rates_by_kind,
)
from rewards.verdict import NOT_APPLICABLE, Verdict

KEPT = Verdict(satisfied=True, margin=0.0, evidence=())
BROKEN = Verdict(satisfied=False, margin=-1.0, evidence=())


def test_satisfaction__leaves_out_verdicts_that_do_not_apply():
    verdicts = [KEPT, BROKEN, NOT_APPLICABLE, KEPT]
    assert num_satisfied(verdicts) == 2
    assert mean_satisfied(verdicts) == pytest.approx(2 / 3)
    assert all_satisfied(verdicts) == 0
    assert all_satisfied([KEPT, NOT_APPLICABLE]) == 1


def test_satisfaction__is_none_without_an_applicable_constraint():
    assert mean_satisfied([]) is all_satisfied([NOT_APPLICABLE]) is None


def test_graded_satisfied__near_miss_earns_more_than_a_far_one():
    far = Verdict(satisfied=False, margin=-9.0, evidence=())
    # 0.5 / (1 + 1) = 0.25 for a miss by one, 0.5 / (1 + 9) = 0.05 for a miss by nine
    assert graded_satisfied([BROKEN]) == 0.25
    assert graded_satisfied([far]) == 0.05
    assert graded_satisfied([KEPT, far, NOT_APPLICABLE]) == (1.0 + 0.05) / 2
    assert graded_satisfied([NOT_APPLICABLE]) is None


def test_rates_by_kind__leave_out_kinds_that_never_applied():
    rates = rates_by_kind([("b:x", KEPT), ("a:y", BROKEN), ("b:x", BROKEN), ("c:z", NOT_APPLICABLE)])
    assert rates == {"a:y": 0.0, "b:x": 0.5}
