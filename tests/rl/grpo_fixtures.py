"""Helpers: GRPO trainings small enough for a test, by Heed's trainer and by TRL's, and their results."""

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import TrainerState
from trl import GRPOTrainer

from launch.recipes import load_recipe
from rl.build import build_rollouts, build_trainer
from rl.config.load import parse_config
from rl.config.root import Config
from rl.datasets import as_dataset, load_problems
from rl.models.load import load_model, load_tokenizer, model_path
from rl.models.lora import lora_config
from rl.scoring.reward_functions import reward_functions
from rl.trainers.grpo import CreditGRPOTrainer
from rl.trainers.trl_args import grpo_arguments

EVEN_SHARE = f"{__file__}:even_share"
CTRL_C_IN_STEP = "HEED_TEST_CTRL_C_IN_STEP"
HOLD_STEP_3 = "HEED_TEST_HOLD_STEP_3"
"""A file that step 3 waits for."""


def even_share(completion_ids: list[list[int]], trainer_state: TrainerState, **columns: Any) -> list[float]:
    """Reward the share of even token ids, which differs within every group even with a random model.

    Environment variables make it send Ctrl-C in the middle of a step, or wait in step 3.
    """
    while trainer_state.global_step == 2 and HOLD_STEP_3 in os.environ and not Path(os.environ[HOLD_STEP_3]).exists():
        time.sleep(0.05)
    if os.environ.get(CTRL_C_IN_STEP) == str(trainer_state.global_step + 1):
        os.kill(os.getpid(), signal.SIGINT)
    return [sum(token % 2 == 0 for token in ids) / len(ids) for ids in completion_ids]


def tiny_config(**sections: dict[str, Any]) -> Config:
    """Return a config whose training takes about a second; `sections` change single keys."""
    tree: dict[str, dict[str, Any]] = {
        "model": {"name": "tiny", "dtype": "float32"},
        "data": {"num_problems": 8, "held_out": 0},
        "rewards": {"satisfaction_weight": 0.0, "functions": [EVEN_SHARE]},
        "probe": {"horizon": [1, 8]},
        "lora": {"r": 4, "alpha": 8},
        "trainer": {
            "learning_rate": 1e-2,
            "max_steps": 4,
            "per_device_train_batch_size": 4,
            "gradient_accumulation_steps": 2,
            "num_generations": 4,
            "max_completion_length": 12,
            "beta": 0.04,
        },
    }
    return parse_config({**tree, **{name: {**tree.get(name, {}), **changes} for name, changes in sections.items()}})


def plain_config(**sections: dict[str, Any]) -> Config:
    """Return such a config without shared prompts, as TRL itself trains."""
    return tiny_config(**{**sections, "trainer": {"shared_prompts": False, **sections.get("trainer", {})}})


def credit_trainer(config: Config, folder: Path) -> CreditGRPOTrainer:
    """Return the trainer that a run of the config would use."""
    return build_trainer(config, folder, load_problems(config.data).train, callbacks=[])


def plain_trainer(config: Config, folder: Path) -> GRPOTrainer:
    """Return TRL's trainer with the same model, data, rewards and `rollout_func`."""
    model, tokenizer = load_model(config.model.name), load_tokenizer(config.model.name)
    model.name_or_path = model_path(config.model.name)
    rewards, weights = reward_functions(config.rewards)
    arguments = grpo_arguments(config, folder=folder, bf16=False)
    arguments.reward_weights = weights
    return GRPOTrainer(
        model=model,
        args=arguments,
        processing_class=tokenizer,
        train_dataset=as_dataset(load_problems(config.data).train),
        reward_funcs=rewards,
        peft_config=lora_config(config.lora),
        rollout_func=build_rollouts(config, model, tokenizer),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """The numbers of a training; two outcomes are equal if they agree to the last bit."""

    losses: list[float]
    grad_norms: list[float]
    adapter: dict[str, list]


def outcome(trainer: GRPOTrainer) -> Outcome:
    """Return the losses, gradient norms and adapter of a trainer that has trained."""
    logged = [line for line in trainer.state.log_history if "loss" in line]
    return Outcome(
        losses=[line["loss"] for line in logged],
        grad_norms=[line["grad_norm"] for line in logged],
        adapter=adapter_weights(trainer),
    )


def adapter_weights(trainer: GRPOTrainer) -> dict[str, list]:
    """Return the trained tensors as plain numbers, by name."""
    return {name: weight.tolist() for name, weight in trainer.model.named_parameters() if weight.requires_grad}


def recipe_config(folder: Path, *overrides: str) -> Config:
    """Return the recipe `tiny`, run in `folder`, with a reward that trains even a random model."""
    return load_recipe("tiny", [f"run.folder={folder}", f"rewards.functions=[{EVEN_SHARE}]", *overrides])
