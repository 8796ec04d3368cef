"""Resume: from any step, a training ends with the weights of an undisturbed one, bit for bit (law 7)."""

import shutil
from pathlib import Path

import pytest
from trl import GRPOTrainer

from rl.common.errors import RunFailure, UserError
from rl.rollouts.ledger import LedgerTotals
from rl.runs.checkpoint import newest_checkpoint
from rl.trainers.grpo import CreditGRPOTrainer
from tests.rl.grpo_fixtures import Outcome, credit_trainer, outcome, tiny_config

# A generation batch of 16 completions is 4 micro-batches, each visited twice: 8 micro-steps, which are 4 optimizer
# steps. Steps 1 to 3 end inside the first generation buffer, step 4 at its end, step 5 inside the second.
BUFFERED = tiny_config(
    credit={"rule": "random"},
    lora={"dropout": 0.1},
    trainer={
        "max_steps": 6,
        "steps_per_generation": 4,
        "num_iterations": 2,
        "save_steps": 1,
        "save_total_limit": 6,
        "lr_scheduler_type": "linear",
    },
)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Outcome, Path]:
    folder = tmp_path_factory.mktemp("undisturbed")
    trainer = credit_trainer(BUFFERED, folder)
    trainer.train()
    return outcome(trainer), folder


def resume(folder: Path, copy: Path, step: int) -> CreditGRPOTrainer:
    """Continue from one of a finished run's checkpoints, as if it had been killed later."""
    shutil.copytree(folder, copy)
    trainer = credit_trainer(BUFFERED, copy)
    trainer.train(resume_from_checkpoint=str(copy / f"checkpoint-{step}"))
    return trainer


@pytest.mark.parametrize("step", [1, 2, 3, 4, 5, 6])
def test_resume__from_any_step_changes_no_bit_and_loses_no_sample(step, undisturbed, tmp_path):
    expected, folder = undisturbed
    trainer = resume(folder, tmp_path / "run", step)
    assert trainer.state.global_step == 6
    assert outcome(trainer) == expected
    # 6 steps of 2 micro-batches of 4 are 48 samples, but each is visited twice: the 4th of 4 micro-batches is the last
    # that is new in a buffer, so 16 of the first buffer and 16 of the second are trained, and none is left
    assert trainer.rollouts.ledger is not None
    assert trainer.rollouts.ledger.totals() == LedgerTotals(dispatched=32, trained=32, dropped=0)


def test_resume__needs_no_adapter_that_the_run_started_from(undisturbed, tmp_path):
    expected, folder = undisturbed
    run, gone = tmp_path / "run", tmp_path / "gone"
    shutil.copytree(folder, run)
    lora = BUFFERED.lora.model_copy(update={"start": gone})
    with pytest.raises(UserError, match=rf"lora\.start={gone} has no adapter_config"):
        credit_trainer(BUFFERED.model_copy(update={"lora": lora}), run)
    trainer = credit_trainer(BUFFERED.model_copy(update={"lora": lora, "resume": run}), run)
    trainer.train(resume_from_checkpoint=str(run / "checkpoint-5"))
    assert outcome(trainer) == expected


def test_resume__without_the_ledger_is_refused(undisturbed, tmp_path):
    _, folder = undisturbed
    shutil.copytree(folder, tmp_path / "run", ignore=shutil.ignore_patterns("ledger.sqlite*"))
    trainer = credit_trainer(BUFFERED, tmp_path / "run")
    with pytest.raises(RunFailure, match=r"ledger.sqlite was lost or changed: checkpoint-3 .* trained=16"):
        trainer.train(resume_from_checkpoint=str(tmp_path / "run" / "checkpoint-3"))


def test_resume__rebuilds_a_lost_ledger_when_asked(undisturbed, tmp_path):
    expected, folder = undisturbed
    shutil.copytree(folder, tmp_path / "run", ignore=shutil.ignore_patterns("ledger.sqlite*"))
    accepting = BUFFERED.model_copy(update={"run": BUFFERED.run.model_copy(update={"rebuild_ledger": True})})
    trainer = credit_trainer(accepting, tmp_path / "run")
    # after step 1 two of the first buffer's four micro-batches of 4 are trained, and two wait
    trainer.train(resume_from_checkpoint=str(tmp_path / "run" / "checkpoint-1"))
    assert outcome(trainer) == expected
    assert trainer.rollouts.ledger is not None
    assert trainer.rollouts.ledger.totals() == LedgerTotals(dispatched=32, trained=32, dropped=0)


def test_resume__says_how_many_samples_it_takes_back(undisturbed, tmp_path, caplog):
    # at checkpoint 1 two of the first buffer's four micro-batches are trained; 24 of all 32 samples come later
    resume(undisturbed[1], tmp_path / "run", 1)
    assert "checkpoint-1: 24 samples that were trained after it are taken back" in caplog.text


def test_resume__continues_in_the_right_epoch(tmp_path):
    # 8 problems at 2 a step are 4 steps an epoch: TRL alone would start the second epoch in the first one's order
    config = tiny_config(trainer={"max_steps": 7, "save_steps": 1, "save_total_limit": 7})
    whole = credit_trainer(config, tmp_path / "whole")
    whole.train()
    for step in (4, 5):
        shutil.copytree(tmp_path / "whole", tmp_path / f"{step}")
        resumed = credit_trainer(config, tmp_path / f"{step}")
        resumed.train(resume_from_checkpoint=str(tmp_path / f"{step}" / f"checkpoint-{step}"))
        assert outcome(resumed) == outcome(whole)


def test_checkpoints__are_all_complete(undisturbed):
    _, folder = undisturbed
    assert newest_checkpoint(folder) == folder / "checkpoint-6"
    assert len(list(folder.glob("checkpoint-*/complete.json"))) == 6


def test_resume__without_the_buffer_would_differ(undisturbed, tmp_path):
    # what TRL does by itself: it samples the buffer anew, from a policy that has moved on
    expected, folder = undisturbed
    trainer = credit_trainer(BUFFERED, tmp_path)
    GRPOTrainer.train(trainer, resume_from_checkpoint=str(folder / "checkpoint-2"))
    assert outcome(trainer).adapter != expected.adapter
