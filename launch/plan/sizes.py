"""Batch sizes, each in prompts, completions and tokens: the numbers that are most often mistaken for each other."""

from dataclasses import dataclass

from launch.plan.prompts import PromptLengths
from rl.config.root import Config


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch:
    """One size; `tokens` is what it comes to when every completion is as long as it may be."""

    name: str
    prompts: float
    completions: int
    tokens: int


def batches(config: Config, lengths: PromptLengths) -> list[Batch]:
    """From the smallest, one forward and backward pass on one rank, to the whole training."""
    trainer, ranks = config.trainer, config.distributed.processes
    micro = trainer.per_device_train_batch_size
    update = micro * trainer.gradient_accumulation_steps * ranks
    generation = trainer.batch_per_generation * ranks
    sampled = update * trainer.max_steps / trainer.num_iterations
    sizes = {
        "one forward pass on one rank": micro,
        "sampled at once by one rank": trainer.batch_per_generation,
        "one generation batch, all ranks": generation,
        "one update (optimizer step), all ranks": update,
        "the whole training": round(sampled),
    }
    a_completion = lengths.mean + trainer.max_completion_length
    return [
        Batch(
            name=name,
            prompts=completions / trainer.num_generations,
            completions=completions,
            tokens=round(completions * a_completion),
        )
        for name, completions in sizes.items()
    ]


def epochs(config: Config, lengths: PromptLengths) -> float:
    """How often the training sees each problem."""
    return batches(config, lengths)[-1].prompts / lengths.num_problems
