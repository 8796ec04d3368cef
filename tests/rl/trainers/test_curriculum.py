"""Trainings with a curriculum: the second epoch goes by what the first earned, and a resume changes no bit."""

import shutil
import sqlite3
from pathlib import Path

import pytest

from rl.config.root import Config
from rl.trainers.grpo import CreditGRPOTrainer
from tests.rl.grpo_fixtures import Outcome, credit_trainer, outcome, tiny_config
from tests.rl.rollouts.in_process_pool import use_in_process_pool


def by_number(completion_ids, problem_id, **_):
    """Reward problem n by about n / 10; the completions of a group differ by their length alone."""
    return [int(name[-1]) / 10 + len(ids) / 1000 for ids, name in zip(completion_ids, problem_id, strict=True)]


def make_config(order: str, **sections: dict) -> Config:
    """Return the config of two epochs of four steps, of two problems each."""
    return tiny_config(
        **{
            "data": {"order": order, "band": [0.3, 0.55]},
            "rewards": {"functions": [f"{__file__}:by_number"]},
            "trainer": {"max_steps": 8, "save_steps": 1, "save_total_limit": 8},
            **sections,
        }
    )


def problems(folder: Path) -> list[str]:
    """Return the problems in the order in which their groups were planned."""
    with sqlite3.connect(folder / "ledger.sqlite") as ledger:
        query = "SELECT detail FROM events WHERE event = 'planned' AND undone = 0 ORDER BY position"
        return [detail for (detail,) in ledger.execute(query)]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> tuple[Outcome, Path]:
    folder = tmp_path_factory.mktemp("undisturbed")
    trainer = credit_trainer(make_config("easy_first"), folder)
    trainer.train()
    return outcome(trainer), folder


def test_easy_first__begins_the_second_epoch_with_the_highest_rewards(undisturbed, tmp_path):
    _, folder = undisturbed
    planned = problems(folder)
    assert planned[8:] == [f"train-0-{number}" for number in (7, 6, 5, 4, 3, 2, 1, 0)]
    shuffled = credit_trainer(make_config("shuffled"), tmp_path)
    shuffled.train()
    assert planned[:8] == problems(tmp_path)[:8] and set(planned[:8]) == set(planned[8:])


def test_band__begins_the_second_epoch_with_medium_rewards(tmp_path):
    credit_trainer(make_config("band"), tmp_path).train()
    second = [int(name[-1]) for name in problems(tmp_path)[8:]]
    # 3, 4 and 5 earn from 0.301 to 0.512; 2 and 6 are 0.09 and 0.06 away, 7 and 1 0.16 and 0.19, then 0
    assert set(second[:3]) == {3, 4, 5} and second[3:] == [6, 2, 7, 1, 0]


@pytest.mark.parametrize("step", [3, 4, 6])
def test_curriculum__a_resume_changes_no_bit(step, undisturbed, tmp_path):
    expected, folder = undisturbed
    run = tmp_path / "run"
    shutil.copytree(folder, run)
    trainer: CreditGRPOTrainer = credit_trainer(make_config("easy_first"), run)
    trainer.train(resume_from_checkpoint=str(run / f"checkpoint-{step}"))
    assert outcome(trainer) == expected and problems(run) == problems(folder)


@pytest.mark.parametrize("rollouts", [{"refill": 1}, {"workers": 1, "max_staleness": 1}])
def test_curriculum__goes_by_the_batches_that_are_known_when_its_rows_are_needed_early(rollouts, tmp_path, monkeypatch):
    use_in_process_pool(monkeypatch)
    config = make_config("easy_first", rewards={"functions": [f"{__file__}:flat_for_two"]}, rollouts=rollouts)
    trainer = credit_trainer(config, tmp_path / "whole")
    trainer.train()
    assert trainer.rollouts.ledger is not None
    # a batch is sampled ahead, or lends its rows, while the one before it is collected, whose rewards come too late
    known = dict(trainer.rollouts.ledger.mean_rewards(before=6))
    planned = [row["problem_id"] for batch in range(4, 8) for row in trainer.rollouts.order.rows(batch)]  # pyright: ignore
    unknown = [name for name in planned if name not in known]
    assert planned == unknown + sorted(known, key=lambda name: -known[name])
    shutil.copytree(tmp_path / "whole", tmp_path / "resumed")
    resumed = credit_trainer(config, tmp_path / "resumed")
    resumed.train(resume_from_checkpoint=str(tmp_path / "resumed" / "checkpoint-3"))
    assert outcome(resumed) == outcome(trainer) and problems(tmp_path / "resumed") == problems(tmp_path / "whole")


def flat_for_two(completion_ids, problem_id, **_):
    return [
        0.9 if name in ("train-0-1", "train-0-6") else reward
        for name, reward in zip(problem_id, by_number(completion_ids, problem_id), strict=True)
    ]
