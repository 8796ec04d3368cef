"""Channels: the advantage of each constraint worked out by hand, and their sum."""

from statistics import fmean, stdev
from typing import Any

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given
from torch import tensor

from rl.credit.channels import (
    Scaling,
    channel_advantages,
    constraint_scores,
    group_deviation,
    guarded_scores,
    reward_scaling,
    total_rewards,
)

NAN = float("nan")


def scaling(totals: list[float], scale_rewards: Any, *, num_generations: int = 2) -> Scaling:
    return reward_scaling(
        tensor(totals)[:, None],
        tensor([1.0]),
        num_generations=num_generations,
        scale_rewards=scale_rewards,
        normalize_each=False,
    )


def split(advantages: torch.Tensor, scores: list[list[float]], totals: list[float], scale_rewards: Any) -> torch.Tensor:
    """Split the advantages of one group of two."""
    given, numbers = scaling(totals, scale_rewards), tensor(totals)
    return channel_advantages(advantages, tensor(scores), numbers, given, weight=1.0, num_generations=2)


def test_constraint_scores__under_mean_a_share_of_the_applicable_constraints():
    # two of three apply to the first completion, all three to the second
    scores = constraint_scores(tensor([[1.0, NAN, 0.0], [1.0, 1.0, 0.0]]), "mean")
    assert scores[0].nan_to_num(nan=9.0).tolist() == [0.5, 9.0, 0.0]
    assert scores[1].tolist() == pytest.approx([1 / 3, 1 / 3, 0.0])


def test_constraint_scores__under_count_one_each():
    assert constraint_scores(tensor([[1.0, 0.0]]), "count").tolist() == [[1.0, 0.0]]


def test_guarded_scores__count_as_much_as_the_groups_guards_leave_on_average():
    # guards 1.0 and 0.5 leave 0.75 of the first group's scores, 0.2 and 0.0 a tenth of the second's
    scores = tensor([[1.0, 0.0], [1.0, NAN], [0.5, 1.0], [0.0, 1.0]])
    guarded = guarded_scores(scores, tensor([1.0, 0.5, 0.2, 0.0]), num_generations=2)
    torch.testing.assert_close(guarded, tensor([[0.75, 0.0], [0.75, NAN], [0.05, 0.1], [0.0, 0.1]]), equal_nan=True)


def test_channel_advantages__by_hand():
    # One group of two completions, two constraints that each count half. First: 1 and 0 -> 0.5 and 0. Second: 0 and 0.
    # Means 0.25 and 0; no scaling, weight 2: A_1 = 2 (0.5 - 0.25) = 0.5 and -0.5, A_2 = 0.
    # Rewards 2 x 0.5 + 1 from another function = 2, and 0: advantages 1 and -1, so channel 0 keeps 0.5 and -0.5.
    channels = channel_advantages(
        tensor([1.0, -1.0]),
        tensor([[0.5, 0.0], [0.0, 0.0]]),
        tensor([2.0, 0.0]),
        scaling([2.0, 0.0], "none"),
        weight=2.0,
        num_generations=2,
    )
    assert channels.tolist() == [[0.5, 0.5, 0.0], [-0.5, -0.5, 0.0]]


def test_channel_advantages__group_scaling_divides_by_trl_s_denominator():
    # rewards 0.5 and 0: deviation 0.5 / sqrt(2); the only constraint carries all, so channel 0 keeps nothing
    advantages = tensor([0.25, -0.25]) / (0.5 / 2**0.5 + 1e-4)
    channels = split(advantages, [[0.5], [0.0]], [0.5, 0.0], "group")
    assert channels[:, 1].tolist() == pytest.approx(advantages.tolist())
    assert channels[:, 0].tolist() == pytest.approx([0.0, 0.0], abs=1e-6)


def test_channel_advantages__batch_scaling_divides_by_the_deviation_of_all_ranks():
    # Two groups of two, this rank has the second. Rewards 3, 1, 1, 0: mean 1.25, squares 3.0625 + 2 x 0.0625 + 1.5625
    # = 4.75, deviation sqrt(4.75 / 3). The only constraint gives the second group 1 and 0: 0.5 each way.
    deviation = (4.75 / 3) ** 0.5
    rank = reward_scaling(
        tensor([[3.0], [1.0], [1.0], [0.0]]),
        tensor([1.0]),
        num_generations=2,
        scale_rewards="batch",
        normalize_each=False,
    ).rows(2, 2)
    advantages = tensor([0.5, -0.5]) / (deviation + 1e-4)
    scores, totals = tensor([[1.0], [0.0]]), tensor([1.0, 0.0])
    channels = channel_advantages(advantages, scores, totals, rank, weight=1.0, num_generations=2)
    assert channels[:, 1].tolist() == pytest.approx([0.5 / (deviation + 1e-4), -0.5 / (deviation + 1e-4)])
    assert channels[:, 0].tolist() == pytest.approx([0.0, 0.0], abs=1e-6)


def test_channel_advantages__each_reward_normalized_by_itself():
    # Two rewards with weights 2 and 1 in one group of two: constraints 1, 0 and others 0, 4. Each standardises to
    # +-0.5 / (sqrt(1/2) + e) and -+2 / (sqrt(8) + e), both near +-0.7071. Sums near 2 x 0.7071 - 0.7071 = +-0.7071.
    first, second = 0.5 / (0.5**0.5 + 1e-4), 2 / (8**0.5 + 1e-4)
    total = 2 * first - second
    across = (2 * total**2) ** 0.5 + 1e-4
    both = reward_scaling(
        tensor([[1.0, 0.0], [0.0, 4.0]]),
        tensor([2.0, 1.0]),
        num_generations=2,
        scale_rewards="group",
        normalize_each=True,
    )
    advantages, totals = tensor([total, -total]) / across, tensor([2.0, 4.0])
    channels = channel_advantages(advantages, tensor([[1.0], [0.0]]), totals, both, weight=2.0, num_generations=2)
    assert channels[:, 1].tolist() == pytest.approx([2 * first / across, -2 * first / across], rel=1e-5)
    assert channels[:, 0].tolist() == pytest.approx([-second / across, second / across], rel=1e-4)


def test_channel_advantages__are_clipped_to_the_largest_of_a_group():
    # The constraints differ by 0.5 each way while the totals differ by 0.001: unclipped, 0.25 / 0.0008 = 311
    channels = split(tensor([0.7, -0.7]), [[0.5, 0.0], [0.0, 0.5]], [0.501, 0.5], "group")
    bound = 1 / 2**0.5
    assert channels[:, 1:].tolist() == [pytest.approx([bound, -bound]), pytest.approx([-bound, bound])]
    assert channels[:, 0].tolist() == pytest.approx([0.7, -0.7])


def test_channel_advantages__a_tie_is_split_where_nothing_divides_by_its_deviation():
    # Each completion satisfies the constraint that the other violates: the advantages are 0, what each token hears is
    # not. By group the denominator is 0.0001 alone, so nothing is split.
    scores, totals = [[0.5, 0.0], [0.0, 0.5]], [0.5, 0.5]
    assert split(torch.zeros(2), scores, totals, "group").tolist() == [[0.0] * 3] * 2
    assert split(torch.zeros(2), scores, totals, "none").tolist() == [[0.0, 0.25, -0.25], [0.0, -0.25, 0.25]]


def test_channel_advantages__0_where_the_constraint_does_not_apply():
    # the group's mean is over the two completions that it applies to
    channels = channel_advantages(
        tensor([0.5, -0.5, 0.0]),
        tensor([[1.0], [0.0], [NAN]]),
        tensor([1.0, 0.0, NAN]),
        scaling([1.0, 0.0, NAN], "none", num_generations=3),
        weight=1.0,
        num_generations=3,
    )
    assert channels.tolist() == [[0.0, 0.5], [0.0, -0.5], [0.0, 0.0]]


def test_group_deviation__over_the_rows_with_a_reward():
    # 1 and 3: deviation sqrt(2); 5 and 5: 0; one reward alone: 0
    rewards = tensor([1.0, NAN, 3.0, 5.0, 5.0, NAN, NAN, 2.0, NAN])
    assert group_deviation(rewards, 3).tolist() == pytest.approx([2**0.5] * 3 + [0.0] * 6)


def trl_advantages(rewards: list[list[float]], weights: list[float], size: int, mode: str) -> list[float]:
    """Restate TRL's advantages of complete rewards in plain Python; `mode` is a scaling, or `each`."""
    deviation = lambda values: stdev(values) if len(values) > 1 else 0.0  # noqa: E731
    groups = [rewards[start : start + size] for start in range(0, len(rewards), size)]
    if mode == "each":
        sums = []
        for group in groups:
            columns = list(zip(*group, strict=True))
            sums += [
                sum(
                    weight * (value - fmean(column)) / (deviation(column) + 1e-4)
                    for weight, value, column in zip(weights, row, columns, strict=True)
                )
                for row in group
            ]
        return [(value - fmean(sums)) / (deviation(sums) + 1e-4) for value in sums]
    totals = [[sum(w * value for w, value in zip(weights, row, strict=True)) for row in group] for group in groups]
    flat = [total for group in totals for total in group]
    divisors = {
        "none": lambda _: 1.0,
        "batch": lambda _: deviation(flat) + 1e-4,
        "group": lambda g: deviation(g) + 1e-4,
    }
    return [(total - fmean(group)) / divisors[mode](group) for group in totals for total in group]


@given(
    st.integers(1, 3).flatmap(
        lambda groups: st.tuples(
            st.lists(
                st.lists(st.sampled_from([0.0, 0.25, 0.125, 1.0, NAN]), min_size=3, max_size=3),
                min_size=4 * groups,
                max_size=4 * groups,
            ),
            st.lists(st.floats(-2.0, 2.0, width=32), min_size=4 * groups, max_size=4 * groups),
        )
    ),
    st.sampled_from(["group", "batch", "none", "each"]),
    st.sampled_from(["mean", "graded", "count"]),
)
def test_channel_advantages__sum_to_trl_s_advantage(drawn, mode, satisfaction):
    scores = constraint_scores(torch.tensor(drawn[0]), satisfaction)
    rewards = torch.stack([scores.nansum(dim=1), torch.tensor(drawn[1])], dim=1)
    advantages = torch.tensor(trl_advantages(rewards.tolist(), [2.0, 0.5], 4, mode))
    weights = tensor([2.0, 0.5])
    whole = reward_scaling(
        rewards,
        weights,
        num_generations=4,
        scale_rewards="group" if mode == "each" else mode,
        normalize_each=mode == "each",
    )
    totals = total_rewards(rewards, weights)
    channels = channel_advantages(advantages, scores, totals, whole, weight=2.0, num_generations=4)
    assert torch.allclose(channels.sum(dim=1), advantages, atol=1e-5)
    assert bool(channels.isfinite().all())
