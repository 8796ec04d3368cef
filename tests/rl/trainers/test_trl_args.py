"""TRL arguments: every setting arrives, none can be stated twice, and the names are TRL's own."""

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from trl.trainer.dpo_config import DPOConfig
from trl.trainer.grpo_config import GRPOConfig

import rl.trainers.trl_args
from rl.config.data import DataConfig
from rl.config.root import Config
from rl.config.run import TrackingConfig
from rl.config.trainer import OWN, DpoConfig, TrainerConfig
from rl.config.trl_fields import DECIDED, trl_fields
from rl.trainers.trl_args import dpo_arguments, grpo_arguments, size_buckets


class Stated(GRPOConfig):
    """Keeps what it was given instead of acting on it."""

    def __init__(self, **stated: Any):
        self.stated = stated


def test_trl_fields__are_the_fields_of_the_classes():
    assert trl_fields("grpo") == {field.name for field in fields(GRPOConfig)}
    assert trl_fields("dpo") == {field.name for field in fields(DPOConfig)}


def test_size_buckets__to_what_is_trained_also_where_it_is_sharded():
    model = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 5))
    model[0].requires_grad_(False)
    settings = {"zero_optimization": {"stage": 2}}
    size_buckets(settings, model)
    assert settings["zero_optimization"] == {"stage": 2, "reduce_bucket_size": 25, "allgather_bucket_size": 25}
    weight: Any = model[1].weight
    weight.ds_numel = 20_000  # ZeRO-3's note of what it has sharded
    size_buckets(settings, model)
    assert settings["zero_optimization"]["reduce_bucket_size"] == 20_005


def test_dpo_arguments__have_the_settings(tmp_path: Path):
    config = Config(
        algorithm="dpo",
        data=DataConfig(path="pairs.jsonl"),
        dpo=DpoConfig(beta=0.3, loss_type=("ipo", "aot"), loss_weights=(1.0, 0.5), max_length=77),
        trainer=TrainerConfig(learning_rate=3e-4, max_steps=7, seed=5),
        trl={"adam_beta2": 0.95},
    )
    arguments = dpo_arguments(config, folder=tmp_path, bf16=False)
    assert (arguments.beta, arguments.loss_type, arguments.loss_weights) == (0.3, ["ipo", "aot"], [1.0, 0.5])
    assert (arguments.learning_rate, arguments.max_steps, arguments.seed) == (3e-4, 7, 5)
    assert (arguments.max_length, arguments.adam_beta2, arguments.output_dir) == (77, 0.95, str(tmp_path))


def test_grpo_arguments__have_the_settings(tmp_path: Path):
    trainer = TrainerConfig(
        learning_rate=3e-4, beta=0.04, loss_type="dr_grpo", scale_rewards="none", num_generations=4, max_steps=7,
        max_completion_length=9, temperature=0.7, save_steps=3, lr_scheduler_type="cosine", seed=5, epsilon_high=0.28,
    )  # fmt: skip
    arguments = grpo_arguments(Config(trainer=trainer), folder=tmp_path, bf16=False)
    # `max_steps` says how many steps the epochs are, once the rows are counted
    stated = trainer.model_dump(exclude={"num_train_epochs", *OWN})
    arrived = {name: getattr(arguments, name) for name in stated}
    # TRL fills the one it derives: as many steps per generation as accumulation steps
    assert arrived == stated | {"steps_per_generation": 1}


def test_grpo_arguments__save_into_the_run_folder_and_print_nothing(tmp_path: Path):
    arguments = grpo_arguments(Config(), folder=tmp_path, bf16=False)
    assert arguments.output_dir == str(tmp_path)
    assert (arguments.save_strategy, arguments.report_to, arguments.disable_tqdm) == ("steps", [], True)
    assert (arguments.bf16, arguments.fp16, arguments.use_cpu) == (False, False, not torch.cuda.is_available())
    assert arguments.remove_unused_columns is False


def test_grpo_arguments__pass_trackers_and_the_trl_block_through(tmp_path: Path):
    config = Config(
        tracking=TrackingConfig(report_to=("tensorboard",)), trl={"delta": 1.5, "top_entropy_quantile": 0.2}
    )
    arguments = grpo_arguments(config, folder=tmp_path, bf16=False)
    assert (arguments.report_to, arguments.delta, arguments.top_entropy_quantile) == (["tensorboard"], 1.5, 0.2)


def test_grpo_arguments__state_nothing_that_trl_block_may_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(rl.trainers.trl_args, "GRPOConfig", Stated)
    arguments = grpo_arguments(Config(), folder=tmp_path, bf16=False)
    assert isinstance(arguments, Stated)
    assert set(arguments.stated) <= set(TrainerConfig.model_fields) | set(DECIDED)


def test_grpo_arguments__values_that_trl_refuses_are_user_errors(tmp_path: Path):
    config = Config(trl={"log_completions_hub_repo": "someone/somewhere"})
    with pytest.raises(ValueError, match=r"^TRL refuses these settings: .*log_completions is False"):
        grpo_arguments(config, folder=tmp_path, bf16=False)
