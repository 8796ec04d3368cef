"""Building: the policy, its engine and its trainer, from the config."""

from pathlib import Path

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase, PrinterCallback, TrainerCallback

from data.problems import Problem
from rl.arguments import grpo_arguments
from rl.balancing import Balancing
from rl.config import Config
from rl.credit.assigner import CreditAssigner
from rl.datasets import as_dataset
from rl.fluency import base_log_probs
from rl.grpo import CreditGRPOTrainer
from rl.journal import Journal
from rl.lora import lora_config
from rl.models import load_model, load_tokenizer, model_path, resolve_dtype
from rl.record import RolloutRecorder
from rl.rollouts.correction import Correction
from rl.rollouts.engine_hf import TransformersEngine
from rl.rollouts.ledger import Ledger, ledger_path
from rl.rollouts.local import InProcess
from rl.rollouts.remote import hire_workers
from rl.rollouts.rollout_func import Rollouts
from rl.scoring import reward_functions


def build_trainer(
    config: Config, folder: Path, problems: tuple[Problem, ...], callbacks: list[TrainerCallback]
) -> CreditGRPOTrainer:
    """TRL's trainer around the base model and a fresh LoRA adapter called `default`."""
    tokenizer = load_tokenizer(config.model.name)
    dtype = resolve_dtype(config.model.dtype)
    model = load_model(config.model.name, dtype=dtype)
    # PEFT looks for the base model's config at every save; a hub name would cost a request each time.
    model.name_or_path = model_path(config.model.name)
    # `trainer` is made below; TRL makes the policy out of the model, and asks for no reward before it has.
    rewards, weights = reward_functions(
        config.rewards, log_probs=lambda problems, texts: base_log_probs(trainer.policy, tokenizer, problems, texts)
    )
    arguments = grpo_arguments(config, folder=folder, bf16=dtype == torch.bfloat16)
    arguments.reward_weights = weights
    balancing = Balancing(config.rewards) if len(rewards) > 1 else None
    ledger = Ledger(ledger_path(folder, arguments.process_index), num_generations=config.trainer.num_generations)
    trainer = CreditGRPOTrainer(
        model=model,
        args=arguments,
        processing_class=tokenizer,
        train_dataset=as_dataset(problems),
        reward_funcs=rewards,
        peft_config=lora_config(config.lora),
        credit=CreditAssigner(config.credit, config.probe, seed=config.trainer.seed),
        rollouts=build_rollouts(config, model, tokenizer, ledger),
        recorder=RolloutRecorder(Journal(folder / "rollouts.jsonl"), num_generations=config.trainer.num_generations),
        balancing=balancing,
        callbacks=[*callbacks, balancing] if balancing else callbacks,
    )
    trainer.remove_callback(PrinterCallback)  # the progress bar shows what it would print
    return trainer


def build_rollouts(
    config: Config, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, ledger: Ledger | None = None
) -> Rollouts:
    """Rollouts of the live model, in this process or by workers; PEFT changes its layers in place."""
    settings = config.rollouts
    engine = TransformersEngine(
        model,
        tokenizer,
        temperature=config.trainer.temperature,
        max_completion_length=config.trainer.max_completion_length,
        threads=settings.threads,
    )
    return Rollouts(
        InProcess(engine) if settings.workers == 0 else hire_workers(config, engine, ledger),
        tokenizer,
        num_generations=config.trainer.num_generations,
        groups_per_unit=settings.groups_per_unit,
        seed=config.trainer.seed,
        max_staleness=settings.max_staleness,
        max_dropped=settings.max_dropped,
        ledger=ledger,
        correction=Correction(mode=settings.correction, cap=settings.correction_cap),
    )
