"""Reward check: rewards that cannot be learned from stop the training by name."""

import math

import pytest
import torch

from rl.common.errors import RunFailure
from rl.scoring.reward_check import RewardCheck

NONE = [math.nan, math.nan]


@pytest.mark.parametrize(("value", "shown"), [(math.inf, "inf"), (-math.inf, "-inf"), (1e38, "1e"), (-2e15, "-2e")])
def test_check__names_the_reward_and_the_completion(value, shown):
    check = RewardCheck(["constraints", "mine"], batches=9)
    rewards = torch.tensor([[0.5, 1.0], [math.nan, value]])
    with pytest.raises(RunFailure, match=rf"step 4: the reward mine is {shown}\S* for the completion 'wide sea'"):
        check.check(rewards, ["rain", "wide sea"], step=4)


def test_check__a_completion_of_another_rank_is_not_at_hand():
    rewards = torch.tensor([[math.inf], [1.0], [1.0], [1.0]])
    with pytest.raises(RunFailure, match="is inf for the completion 'of another rank'"):
        RewardCheck(["mine"], batches=9).check(rewards, ["a", "b"], step=1, first=2)


@pytest.mark.parametrize(("batches", "last"), [(1, 1), (2, 2), (100, 5)])
def test_check__no_reward_for_the_whole_run_or_five_batches(batches, last):
    check = RewardCheck(["constraints", "mine"], batches=batches)
    for step in range(1, last):
        check.check(torch.tensor([NONE, NONE]), ["a", "b"], step=step)
    with pytest.raises(RunFailure, match=rf"step {last}: constraints, mine gave no reward .* last {last} .* 'a'"):
        check.check(torch.tensor([NONE, NONE]), ["a", "b"], step=last)


def test_check__one_reward_is_enough():
    check = RewardCheck(["constraints", "mine"], batches=2)
    for step in range(1, 9):
        rewards = torch.tensor([NONE, [math.nan, -1e15 if step % 2 else math.nan]])
        check.check(rewards, ["a", "b"], step=step)
