"""Reward weights: schedules worked out by hand, and correlations that show a conflict."""

import math

import pytest

from rewards.reward_weights import (
    Decaying,
    Fixed,
    RewardBalancer,
    Rising,
    Targeted,
    advantage_correlations,
    group_advantages,
)


def test_schedules__at_the_start_and_the_end():
    balancer = RewardBalancer({"a": Fixed(weight=2.0), "b": Rising(weight=2.0), "c": Decaying(weight=2.0)})
    assert balancer.weights == {"a": 2.0, "b": 0.0, "c": 2.0}
    end = balancer.update(progress=1.0, rates={})
    assert end == pytest.approx({"a": 2.0, "b": 2 * (1 - math.exp(-5)), "c": 2 * math.exp(-5)})


def test_targeted__raises_the_weight_below_the_target():
    balancer = RewardBalancer({"a": Targeted(weight=1.0, target=0.8, step=0.5, maximum=1.2)})
    assert balancer.update(progress=0.1, rates={"a": 0.6})["a"] == pytest.approx(1.1)  # 1 + 0.5 * 0.2
    assert balancer.update(progress=0.2, rates={"a": 0.0})["a"] == 1.2  # 1.1 + 0.4, clipped
    assert balancer.update(progress=0.3, rates={"a": 1.0})["a"] == pytest.approx(1.1)  # 1.2 - 0.1
    assert balancer.update(progress=0.4, rates={"a": None})["a"] == pytest.approx(1.1)  # nothing seen


def test_targeted__never_goes_below_0():
    balancer = RewardBalancer({"a": Targeted(weight=0.1, target=0.0, step=1.0)})
    assert balancer.update(progress=0.0, rates={"a": 1.0})["a"] == 0.0


def test_reward_balancer__restored_weights_resume_the_ascent():
    schedule = {"a": Targeted(weight=1.0, target=0.8, step=0.5)}
    straight, first, second = (RewardBalancer(schedule) for _ in range(3))
    for rate in (0.1, 0.2):
        straight.update(progress=0.5, rates={"a": rate})
    second.weights = first.update(progress=0.5, rates={"a": 0.1})
    assert second.update(progress=0.5, rates={"a": 0.2}) == straight.weights


def test_reward_weights__bad_input_is_an_error():
    with pytest.raises(ValueError, match="at least one reward"):
        RewardBalancer({})
    with pytest.raises(ValueError, match=r"unknown rewards \['b'\]"):
        RewardBalancer({"a": Fixed()}).update(progress=0.0, rates={"b": 1.0})
    with pytest.raises(ValueError, match="progress"):
        RewardBalancer({"a": Fixed()}).update(progress=2.0, rates={})
    with pytest.raises(ValueError, match="groups of 2"):
        group_advantages([1.0, 2.0, 3.0], group_size=2)


def test_group_advantages__are_standardised_within_the_group():
    # group (0, 2): mean 1, deviation 1; group (5, 5): no spread; group (None, 3): one score alone
    assert group_advantages([0.0, 2.0, 5.0, 5.0, None, 3.0], group_size=2) == [-1.0, 1.0, 0.0, 0.0, None, 0.0]


def test_advantage_correlations__conflicting_rewards_are_negative():
    scores = {"short": [1.0, 0.0, 1.0, 0.0], "rich": [0.0, 9.0, 0.0, 3.0], "same": [1.0, 1.0, 1.0, 1.0]}
    # in both groups the one is up where the other is down: -1; "same" never differs, so it has no pair
    assert advantage_correlations(scores, group_size=2) == {("rich", "short"): pytest.approx(-1.0)}


def test_advantage_correlations__leave_out_rows_that_do_not_apply():
    scores = {"a": [0.0, 1.0, None, None], "b": [0.0, 1.0, 9.0, 5.0]}
    assert advantage_correlations(scores, group_size=2) == {("a", "b"): pytest.approx(1.0)}
