"""Trainer settings: the optimizer steps that a number of epochs takes."""

import pytest

from rl.common.errors import UserError
from rl.config.trainer import TrainerConfig
from rl.datasets import with_steps_of_epochs
from tests.rl.grpo_fixtures import tiny_config


@pytest.mark.parametrize(
    ("rows", "ranks", "epochs", "steps"),
    [
        # 4 x 2 completions in groups of 4 are 2 problems a step: 10 problems make 5 steps, 11 leave one out
        (10, 1, 1.0, 5),
        (11, 1, 2.0, 10),
        (10, 1, 0.5, 3),
        # two ranks take 4 problems a step, so that 10 make 2 steps
        (10, 2, 3.0, 6),
    ],
)
def test_steps_of_epochs__of_grpo_are_whole_generation_batches(rows, ranks, epochs, steps):
    trainer = TrainerConfig(
        num_train_epochs=epochs, num_generations=4, per_device_train_batch_size=4, gradient_accumulation_steps=2
    )
    assert trainer.steps_of_epochs(rows, ranks=ranks, is_grpo=True) == steps


def test_steps_of_epochs__several_iterations_train_each_batch_so_often():
    # a batch of 2 problems is trained 3 times: 10 problems are 5 batches and 15 steps
    trainer = TrainerConfig(num_train_epochs=1.0, num_generations=4, per_device_train_batch_size=8, num_iterations=3)
    assert trainer.steps_of_epochs(10, ranks=1, is_grpo=True) == 15


def test_steps_of_epochs__of_dpo_take_every_pair():
    # 11 pairs in micro-batches of 2 are 6, of which 4 make a step: 2 steps an epoch
    trainer = TrainerConfig(num_train_epochs=3.0, per_device_train_batch_size=2, gradient_accumulation_steps=4)
    assert trainer.steps_of_epochs(11, ranks=1, is_grpo=False) == 6


def test_with_steps_of_epochs__replaces_max_steps_and_checks_the_warm_up():
    config = tiny_config(trainer={"num_train_epochs": 2.0, "max_steps": 1})
    assert with_steps_of_epochs(config, 10).trainer.max_steps == 10
    assert with_steps_of_epochs(tiny_config(), 10).trainer.max_steps == 4
    warming = tiny_config(
        trainer={"num_train_epochs": 1.0, "warmup_steps": 5, "lr_scheduler_type": "constant_with_warmup"}
    )
    with pytest.raises(UserError, match=r"num_train_epochs=1 passes over 10 rows are 5 steps, and .*warmup_steps=5"):
        with_steps_of_epochs(warming, 10)
