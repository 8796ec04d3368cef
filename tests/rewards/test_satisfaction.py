"""Satisfaction: verdicts as one number."""

import pytest

from rewards.satisfaction import (
    all_satisfied,
    constraint_metrics,
    graded_satisfied,
    mean_satisfied,
    num_satisfied,
    rates_by_kind,
    weighted_satisfied,
)
from rewards.verdict import NOT_APPLICABLE, Verdict

KEPT = Verdict(satisfied=True, margin=0.0, evidence=())
BROKEN = Verdict(satisfied=False, margin=-1.0, evidence=())


def test_what_does_not_apply_is_left_out():
    verdicts = [KEPT, BROKEN, NOT_APPLICABLE, KEPT]
    assert num_satisfied(verdicts) == 2
    assert mean_satisfied(verdicts) == pytest.approx(2 / 3)
    assert all_satisfied(verdicts) == 0
    assert all_satisfied([KEPT, NOT_APPLICABLE]) == 1


def test_without_an_applicable_constraint_there_is_no_signal():
    assert mean_satisfied([]) is all_satisfied([NOT_APPLICABLE]) is None


def test_weights_share_out_the_applicable_constraints_only():
    # weight 3 kept, weight 1 broken, weight 9 not applicable: 3 / 4
    assert weighted_satisfied([KEPT, BROKEN, NOT_APPLICABLE], [3.0, 1.0, 9.0]) == 0.75


def test_weights_must_fit():
    with pytest.raises(ValueError, match=">= 0"):
        weighted_satisfied([KEPT], [-1.0])
    with pytest.raises(ValueError, match="shorter"):
        weighted_satisfied([KEPT, KEPT], [1.0])


def test_a_near_miss_earns_more_than_a_far_one_and_less_than_a_kept_rule():
    far = Verdict(satisfied=False, margin=-9.0, evidence=())
    # 0.5 / (1 + 1) = 0.25 for a miss by one, 0.5 / (1 + 9) = 0.05 for a miss by nine
    assert graded_satisfied([BROKEN]) == 0.25
    assert graded_satisfied([far]) == 0.05
    assert graded_satisfied([KEPT, far, NOT_APPLICABLE]) == (1.0 + 0.05) / 2
    assert graded_satisfied([NOT_APPLICABLE]) is None


def test_rates_by_kind_are_logged_under_the_kind():
    rates = rates_by_kind([("b:x", KEPT), ("a:y", BROKEN), ("b:x", BROKEN), ("c:z", NOT_APPLICABLE)])
    assert rates == {"a:y": 0.0, "b:x": 0.5}
    assert constraint_metrics(rates) == {"constraint/a:y/pass_rate": 0.0, "constraint/b:x/pass_rate": 0.5}
