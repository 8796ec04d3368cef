"""Batch sizes, each in prompts, completions and tokens: the numbers that are most often mistaken for each other."""

from dataclasses import dataclass

from launch.plan.prompts import PromptLengths
from rl.config.trainer import TrainerConfig


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch:
    """One batch size.

    Example:
        Batch(name="one update (optimizer step), all ranks", prompts=4.0, completions=32, tokens=2_400)
    """

    name: str
    prompts: float
    completions: int
    tokens: int
    """With every completion at its longest."""


def batches(trainer: TrainerConfig, ranks: int, lengths: PromptLengths) -> list[Batch]:
    """Return the sizes from the smallest, one forward and backward pass on one rank, to the whole training."""
    micro = trainer.per_device_train_batch_size
    update = micro * trainer.gradient_accumulation_steps * ranks
    sizes = {
        "one forward pass on one rank": micro,
        "sampled at once by one rank": trainer.batch_per_generation,
        "one generation batch, all ranks": trainer.batch_per_generation * ranks,
        "one update (optimizer step), all ranks": update,
        "the whole training": round(update * trainer.max_steps / trainer.num_iterations),
    }
    tokens_each = lengths.mean + trainer.max_completion_length
    return [
        Batch(
            name=name,
            prompts=completions / trainer.num_generations,
            completions=completions,
            tokens=round(completions * tokens_each),
        )
        for name, completions in sizes.items()
    ]


def epochs(trainer: TrainerConfig, ranks: int, lengths: PromptLengths) -> float:
    """Return how often the training uses each problem."""
    return batches(trainer, ranks, lengths)[-1].prompts / lengths.num_problems
