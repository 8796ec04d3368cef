"""Helpers: DPO trainings small enough for a test, by Heed's trainer and by TRL's."""

from pathlib import Path
from typing import Any

from trl.trainer.dpo_trainer import DPOTrainer

from data.preferences import PreferencePair, pair_row, preference_pairs
from data.problems import ConstraintSpec, Problem
from data.writing import write_rows
from rl.build import build_trainer
from rl.config.load import parse_config
from rl.config.root import Config
from rl.datasets import as_preferences, load_pairs, load_training
from rl.models.load import load_model, load_tokenizer, model_path
from rl.models.lora import lora_config
from rl.trainers.dpo import CreditDPOTrainer
from rl.trainers.trl_args import dpo_arguments

NOUNS = ("rain", "sea", "wind", "snow", "river", "garden", "train", "bread")


def comma_pair(noun: str) -> PreferencePair:
    """Return a pair of answers that differ by one comma."""
    request = f"Describe the {noun}. Use no commas."
    start = request.index("Use no commas.")
    rule = ConstraintSpec(id="punctuation:no_comma", kwargs={}, text="Use no commas.", spans=((start, len(request)),))
    problem = Problem(problem_id=noun, messages=({"role": "user", "content": request},), constraints=(rule,))
    [pair] = preference_pairs([(problem, [f"The {noun} is old and grey.", f"The {noun} is old, and grey."])])
    return pair


def write_pairs(folder: Path) -> Path:
    """Write one pair for each noun; return the file."""
    return write_rows([pair_row(comma_pair(noun)) for noun in NOUNS], folder / "pairs.jsonl")


def tiny_dpo_config(path: Path, **sections: dict[str, Any]) -> Config:
    """Return a config whose training takes about a second; `sections` change single keys."""
    tree: dict[str, dict[str, Any]] = {
        "model": {"name": "tiny", "dtype": "float32"},
        "data": {"path": str(path), "held_out": 2},
        "probe": {"horizon": [1, 8]},
        "lora": {"r": 4, "alpha": 8},
        "trainer": {
            "learning_rate": 1e-2,
            "max_steps": 3,
            "per_device_train_batch_size": 2,
            "gradient_accumulation_steps": 2,
            "max_completion_length": 8,
        },
    }
    changed = {name: {**tree.get(name, {}), **changes} for name, changes in sections.items()}
    return parse_config({"algorithm": "dpo", **tree, **changed})


def plain_dpo_config(path: Path, **sections: dict[str, Any]) -> Config:
    """Return such a config without shared prompts, as TRL itself trains."""
    trainer = {"shared_prompts": False, **sections.get("trainer", {})}
    return tiny_dpo_config(path, **{**sections, "trainer": trainer})


def credit_dpo_trainer(config: Config, folder: Path) -> CreditDPOTrainer:
    """Return the trainer that a run of the config would use."""
    trainer = build_trainer(config, folder, load_training(config).train, callbacks=[])
    assert isinstance(trainer, CreditDPOTrainer)
    return trainer


def plain_dpo_trainer(config: Config, folder: Path) -> DPOTrainer:
    """Return TRL's trainer with the same model and pairs."""
    model, tokenizer = load_model(config.model.name), load_tokenizer(config.model.name)
    model.name_or_path = model_path(config.model.name)
    pairs = load_pairs(config.data).train
    return DPOTrainer(
        model=model,
        args=dpo_arguments(config, folder=folder, bf16=False),
        processing_class=tokenizer,
        train_dataset=as_preferences(pairs),
        peft_config=lora_config(config.lora),
    )
