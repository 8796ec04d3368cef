"""Plain GRPO: TRL's own trainer with a config's settings, as the baseline that ours is measured against."""

from pathlib import Path

import torch
from transformers import PrinterCallback, TrainerCallback
from trl.trainer.grpo_trainer import GRPOTrainer

from data.problems import Problem
from rl.config.root import Config
from rl.datasets import as_dataset
from rl.models.load import configured_tokenizer, load_base_model, model_path, resolve_dtype
from rl.models.lora import lora_config
from rl.scoring.reward_functions import reward_functions
from rl.trainers.trl_args import grpo_arguments


def plain_grpo_trainer(
    config: Config, folder: Path, problems: tuple[Problem, ...], callbacks: list[TrainerCallback]
) -> GRPOTrainer:
    """Return TRL's trainer with its own generation: no credit, no records, no ledger."""
    dtype = resolve_dtype(config.model.dtype)
    model = load_base_model(config.model)
    model.name_or_path = model_path(config.model.name)
    rewards, weights = reward_functions(config.rewards)
    arguments = grpo_arguments(config, folder=folder, bf16=dtype == torch.bfloat16)
    arguments.reward_weights = weights
    trainer = GRPOTrainer(
        model=model,
        args=arguments,
        processing_class=configured_tokenizer(config.model),
        train_dataset=as_dataset(problems),
        reward_funcs=[*rewards],
        peft_config=lora_config(config.lora),
        callbacks=callbacks,
    )
    trainer.remove_callback(PrinterCallback)
    return trainer
