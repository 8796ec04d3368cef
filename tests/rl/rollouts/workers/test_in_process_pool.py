"""Workers in the same process, each with a model of its own, change no bit of a training (laws 1 and 6 without Ray)."""

from typing import Any

import pytest

from rl.rollouts.ledger import LedgerTotals
from rl.trainers.grpo import CreditGRPOTrainer
from tests.rl.grpo_fixtures import Outcome, credit_trainer, outcome, tiny_config
from tests.rl.rollouts.in_process_pool import use_in_process_pool


@pytest.fixture(autouse=True)
def no_ray(monkeypatch):
    use_in_process_pool(monkeypatch)


def train(folder, **rollouts: Any) -> tuple[Outcome, CreditGRPOTrainer]:
    trainer = credit_trainer(tiny_config(rollouts={"groups_per_unit": 1, **rollouts}), folder)
    try:
        trainer.train()
    finally:
        trainer.rollouts.close()
    return outcome(trainer), trainer


def steps(trainer: CreditGRPOTrainer) -> list[dict[str, float]]:
    return [line for line in trainer.state.log_history if "loss" in line]


def test_training__with_two_workers_changes_no_bit(tmp_path):
    expected, _ = train(tmp_path / "0", workers=0)
    trained, trainer = train(tmp_path / "2", workers=2)
    assert trained == expected
    assert len(steps(trainer)) == 4
    for line in steps(trainer):
        assert line["sync/probe_gap"] == 0.0
        assert line["sync/staleness_max"] == 0.0
        assert line["sync/logp_gap_max"] < 1e-4


def test_sampling_ahead__loses_nothing_and_is_never_too_stale(tmp_path):
    trained, trainer = train(tmp_path, workers=1, max_staleness=1)
    # the first batch is fresh; every later one was sampled one step before, with weights that have moved since
    assert [line["sync/staleness_max"] for line in steps(trainer)] == [0.0, 1.0, 1.0, 1.0]
    assert steps(trainer)[0]["sync/ratio_max"] == 1.0
    assert all(line["sync/ratio_max"] <= 3.0 and line["sync/ratio_max"] != 1.0 for line in steps(trainer)[1:])
    assert trainer.rollouts.ledger is not None
    # 4 steps of 8 completions, and nothing was sampled ahead of the last one
    assert trainer.rollouts.ledger.totals() == LedgerTotals(dispatched=32, trained=32, dropped=0)
    assert len(trained.grad_norms) == 4 and all(trained.grad_norms)


def test_sampling_ahead__survives_a_resume(tmp_path):
    changes = {"trainer": {"save_steps": 1, "max_steps": 3}, "rollouts": {"workers": 1, "max_staleness": 1}}
    first = credit_trainer(tiny_config(**changes), tmp_path)
    first.train()
    first.rollouts.close()
    resumed = credit_trainer(tiny_config(**changes), tmp_path)
    resumed.train(resume_from_checkpoint=str(tmp_path / "checkpoint-2"))
    resumed.rollouts.close()
    assert resumed.rollouts.ledger is not None
    assert resumed.rollouts.ledger.totals() == LedgerTotals(dispatched=24, trained=24, dropped=0)
