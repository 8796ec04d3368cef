"""Law 7: a training resumed from any step ends with the weights of an undisturbed one, bit for bit."""

from pathlib import Path

import pytest
from transformers import Trainer

from rl.checkpoint import newest_checkpoint
from tests.rl.training import Outcome, credit_trainer, outcome, tiny_config

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


@pytest.mark.parametrize("step", [1, 2, 3, 4, 5])
def test_a_resume_from_any_step_changes_no_bit(step, undisturbed, tmp_path):
    expected, folder = undisturbed
    trainer = credit_trainer(BUFFERED, tmp_path)
    trainer.train(resume_from_checkpoint=str(folder / f"checkpoint-{step}"))
    assert trainer.state.global_step == 6
    assert outcome(trainer) == expected


def test_every_checkpoint_of_a_training_is_complete(undisturbed):
    _, folder = undisturbed
    assert newest_checkpoint(folder) == folder / "checkpoint-6"
    assert len(list(folder.glob("checkpoint-*/complete.json"))) == 6


def test_a_resume_without_the_buffer_would_differ(undisturbed, tmp_path):
    # what TRL does by itself: it samples the buffer anew, from a policy that has moved on
    expected, folder = undisturbed
    trainer = credit_trainer(BUFFERED, tmp_path)
    Trainer.train(trainer, resume_from_checkpoint=str(folder / "checkpoint-2"))
    assert outcome(trainer).adapter != expected.adapter
