"""Channels: the advantage of each constraint worked out by hand, and their sum."""

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given
from torch import tensor

from rl.credit.channels import channel_advantages, constraint_scores, group_deviation

NAN = float("nan")


def test_constraint_scores__under_mean_a_share_of_the_applicable_constraints():
    # two of three apply to the first completion, all three to the second
    scores = constraint_scores(tensor([[1.0, NAN, 0.0], [1.0, 1.0, 0.0]]), "mean")
    assert scores[0].nan_to_num(nan=9.0).tolist() == [0.5, 9.0, 0.0]
    assert scores[1].tolist() == pytest.approx([1 / 3, 1 / 3, 0.0])


def test_constraint_scores__under_count_one_each():
    assert constraint_scores(tensor([[1.0, 0.0]]), "count").tolist() == [[1.0, 0.0]]


def test_channel_advantages__by_hand():
    # One group of two completions, two constraints that each count half. First: 1 and 0 -> 0.5 and 0. Second: 0 and 0.
    # Means 0.25 and 0; no scaling, weight 2: A_1 = 2 (0.5 - 0.25) = 0.5 and -0.5, A_2 = 0.
    # Rewards 2 x 0.5 + 1 from another function = 2, and 0: advantages 1 and -1, so channel 0 keeps 0.5 and -0.5.
    channels = channel_advantages(
        tensor([1.0, -1.0]),
        tensor([[0.5, 0.0], [0.0, 0.0]]),
        tensor([2.0, 0.0]),
        weight=2.0,
        num_generations=2,
        scale_rewards="none",
    )
    assert channels.tolist() == [[0.5, 0.5, 0.0], [-0.5, -0.5, 0.0]]


def test_channel_advantages__group_scaling_divides_by_trl_s_denominator():
    # rewards 0.5 and 0: deviation 0.5 / sqrt(2); the only constraint carries all, so channel 0 keeps nothing
    denominator = 0.5 / 2**0.5 + 1e-4
    advantages = tensor([0.25, -0.25]) / denominator
    channels = channel_advantages(
        advantages,
        tensor([[0.5], [0.0]]),
        tensor([0.5, 0.0]),
        weight=1.0,
        num_generations=2,
        scale_rewards="group",
    )
    assert channels[:, 1].tolist() == pytest.approx(advantages.tolist())
    assert channels[:, 0].tolist() == pytest.approx([0.0, 0.0], abs=1e-6)


def test_channel_advantages__are_clipped_to_the_largest_of_a_group():
    # The constraints differ by 0.5 each way while the totals differ by 0.001: unclipped, 0.25 / 0.0008 = 311
    channels = channel_advantages(
        tensor([0.7, -0.7]),
        tensor([[0.5, 0.0], [0.0, 0.5]]),
        tensor([0.501, 0.5]),
        weight=1.0,
        num_generations=2,
        scale_rewards="group",
    )
    bound = 1 / 2**0.5
    assert channels[:, 1:].tolist() == [pytest.approx([bound, -bound]), pytest.approx([-bound, bound])]
    assert channels[:, 0].tolist() == pytest.approx([0.7, -0.7])


def test_channel_advantages__a_group_of_equal_rewards_has_none():
    channels = channel_advantages(
        torch.zeros(2),
        tensor([[0.5, 0.0], [0.0, 0.5]]),
        tensor([0.5, 0.5]),
        weight=1.0,
        num_generations=2,
        scale_rewards="group",
    )
    assert channels.tolist() == [[0.0] * 3] * 2


def test_channel_advantages__0_where_the_constraint_does_not_apply():
    # the group's mean is over the two completions that it applies to
    channels = channel_advantages(
        tensor([0.5, -0.5, 0.0]),
        tensor([[1.0], [0.0], [NAN]]),
        tensor([1.0, 0.0, NAN]),
        weight=1.0,
        num_generations=3,
        scale_rewards="none",
    )
    assert channels.tolist() == [[0.0, 0.5], [0.0, -0.5], [0.0, 0.0]]


def test_group_deviation__over_the_rows_with_a_reward():
    # 1 and 3: deviation sqrt(2); 5 and 5: 0; one reward alone: 0
    rewards = tensor([1.0, NAN, 3.0, 5.0, 5.0, NAN, NAN, 2.0, NAN])
    assert group_deviation(rewards, 3).tolist() == pytest.approx([2**0.5] * 3 + [0.0] * 6)


@given(
    st.integers(1, 4).flatmap(
        lambda groups: st.tuples(
            st.lists(
                st.lists(st.sampled_from([0.0, 1.0, NAN]), min_size=3, max_size=3),
                min_size=4 * groups,
                max_size=4 * groups,
            ),
            st.lists(st.floats(-2.0, 2.0, width=32), min_size=4 * groups, max_size=4 * groups),
        )
    ),
    st.sampled_from(["group", "none"]),
)
def test_channel_advantages__sum_to_the_advantage(drawn, scale_rewards):
    satisfied, others = torch.tensor(drawn[0]), torch.tensor(drawn[1])
    scores = constraint_scores(satisfied, "mean")
    rewards = scores.nansum(dim=1) + others
    advantages = rewards - rewards.unflatten(0, (-1, 4)).mean(dim=1).repeat_interleave(4)
    channels = channel_advantages(
        advantages, scores, rewards, weight=1.0, num_generations=4, scale_rewards=scale_rewards
    )
    assert torch.allclose(channels.sum(dim=1), advantages, atol=1e-5)
    assert bool(channels.isfinite().all())
