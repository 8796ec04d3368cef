"""Balancing: weights follow their schedules over TRL's sum, survive a resume, and without a schedule change nothing."""

import math
import shutil
from pathlib import Path
from typing import Any

import pytest
from torch import tensor
from transformers import TrainerControl, TrainerState

from rl.config.rewards import RewardsConfig, ScheduleConfig
from rl.scoring.balancing import Balancing
from tests.rl.grpo_fixtures import EVEN_SHARE, credit_trainer, outcome, plain_config, plain_trainer, tiny_config

FIRST_TOKEN = f"{__file__}:first_token"
TWO = {"satisfaction_weight": 0.0, "functions": [EVEN_SHARE, FIRST_TOKEN]}
BALANCE = {"even_share": {"schedule": "targeted", "target": 0.9, "step": 1.0}, "first_token": {"schedule": "decaying"}}


def first_token(completion_ids: list[list[int]], **columns: Any) -> list[float]:
    """A second reward, of another scale, that differs within a group."""
    return [-10.0 * (ids[0] % 3) for ids in completion_ids]


def make_balancing(**balance: ScheduleConfig) -> Balancing:
    return Balancing(RewardsConfig(satisfaction_weight=0.0, functions=("a.py:first", "b.py:second"), balance=balance))


def test_weigh__by_the_means_of_earlier_batches():
    balancing = make_balancing(first=ScheduleConfig(schedule="targeted", weight=1.0, target=0.5, step=2.0))
    batch = tensor([[0.0, 1.0], [0.5, 1.0]])  # means 0.25 and 1
    weights, logged = balancing.weigh(batch, num_generations=2, progress=0.0)
    assert weights.tolist() == [1.0, 1.0]
    assert logged == {"balance/first/weight": 1.0, "balance/second/weight": 1.0}  # the second never differs
    weights, _ = balancing.weigh(batch, num_generations=2, progress=0.5)
    assert weights.tolist() == [1.5, 1.0]  # 1 + 2 x (0.5 - 0.25)


def test_weigh__logs_a_negative_correlation_of_opposed_rewards():
    batch = tensor([[0.0, 9.0], [1.0, 3.0], [0.0, 2.0], [1.0, 1.0], [math.nan, 5.0], [1.0, 5.0]])
    _, logged = make_balancing().weigh(batch, num_generations=2, progress=0.0)
    # advantages -1, 1, -1, 1, none, 0 against 1, -1, 1, -1, 0, 0
    assert logged["balance/first~second/correlation"] == pytest.approx(-1.0)


def test_weigh__rising_and_decaying_weights_follow_the_progress():
    balancing = make_balancing(
        first=ScheduleConfig(schedule="rising", weight=2.0), second=ScheduleConfig(schedule="decaying", speed=1.0)
    )
    batch = tensor([[0.0, 1.0], [1.0, 0.0]])
    balancing.weigh(batch, num_generations=2, progress=0.4)
    weights, _ = balancing.weigh(batch, num_generations=2, progress=0.4)
    assert weights.tolist() == pytest.approx([2 * (1 - math.exp(-2)), math.exp(-0.4)])


def test_balancing__its_weights_come_back_with_the_checkpoint():
    schedule = ScheduleConfig(schedule="targeted", target=0.5, step=2.0)
    before, after = make_balancing(first=schedule), make_balancing(first=schedule)
    before.weigh(tensor([[0.0, 1.0], [0.5, 1.0]]), num_generations=2, progress=0.0)
    state = TrainerState(global_step=3, stateful_callbacks={"Balancing": before.state()})  # pyright: ignore
    after.on_train_begin(None, state, TrainerControl())
    assert after.state() == before.state() != make_balancing(first=schedule).state()


def test_balancing__two_rewards_without_a_schedule_are_plain_trl(tmp_path: Path):
    config = plain_config(rewards=TWO)
    plain = plain_trainer(config, tmp_path / "plain")
    plain.train()
    ours = credit_trainer(config, tmp_path / "ours")  # only now: each takes its adapter from the seed
    ours.train()
    assert outcome(ours) == outcome(plain)
    assert any("balance/even_share~first_token/correlation" in line for line in ours.state.log_history)


def test_balancing__resumes_bit_for_bit(tmp_path: Path):
    config = tiny_config(
        rewards={**TWO, "balance": BALANCE}, trainer={"steps_per_generation": 4, "save_steps": 1, "save_total_limit": 4}
    )
    whole = credit_trainer(config, tmp_path / "whole")
    whole.train()
    weights = [
        line["balance/even_share/weight"] for line in whole.state.log_history if "balance/even_share/weight" in line
    ]
    assert len(weights) == 2 and weights[1] > weights[0] == 1.0, "short of its target, the reward weighs more"
    shutil.copytree(tmp_path / "whole", tmp_path / "resumed")
    resumed = credit_trainer(config, tmp_path / "resumed")
    resumed.train(resume_from_checkpoint=str(tmp_path / "resumed" / "checkpoint-1"))
    assert outcome(resumed) == outcome(whole)
