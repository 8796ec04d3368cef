"""Overlap: how much of a step is spent on sampling, and what a step takes whose samples were drawn ahead."""

import math
from dataclasses import dataclass

from launch.plan.prompts import PromptLengths
from launch.plan.sampling import workers_beside
from launch.plan.workload import Workload
from rl.config.root import Config

OPERATIONS_A_BYTE = 200
"""Operations that a GPU makes in bfloat16 while it reads a byte of its memory: an A100 some 150, an H100 some 300."""
OVERRIDE = "rollouts.max_staleness=1"


@dataclass(frozen=True, kw_only=True, slots=True)
class Overlap:
    """A prediction from operations and bytes alone: nothing of it is measured.

    Example:
        Overlap(sampling_share=0.6, step_ratio=0.6)
    """

    sampling_share: float
    """Of the time of a step in which the learner waits for its samples."""
    step_ratio: float
    """Time of a step that is sampled one step ahead, over that of a step that is not."""


def predicted_overlap(config: Config, workload: Workload, lengths: PromptLengths) -> Overlap | None:
    """Return what sampling ahead would bring; None where workers share the learner's device, or do so already."""
    rollouts = config.rollouts
    workers = max(rollouts.workers, len(rollouts.urls))
    if not workers or rollouts.max_staleness or not workload.on_gpu or workers_beside(config, workload.device):
        return None
    sampling, learning = sampling_bytes(config, workload, lengths, workers), learning_bytes(config, workload, lengths)
    return Overlap(
        sampling_share=sampling / (sampling + learning),
        step_ratio=max(sampling, learning) / (sampling + learning),
    )


def sampling_bytes(config: Config, workload: Workload, lengths: PromptLengths, workers: int) -> float:
    """Return the time of sampling an update's completions at their longest, as bytes that are read in it.

    A worker samples its units one after the other. Each token of all rows costs a pass over the weights, or the rows'
    operations where these take longer.
    """
    trainer, operations = config.trainer, 2 * workload.shape.num_parameters
    groups = trainer.batch_per_generation // trainer.num_generations
    unit = min(config.rollouts.groups_per_unit or groups, groups)
    units = math.ceil(_completions(config) / (unit * trainer.num_generations) / workers)
    rows = unit * trainer.num_generations
    token = max(workload.weights, operations * rows / OPERATIONS_A_BYTE)
    prompts = operations * unit * lengths.mean / OPERATIONS_A_BYTE
    return units * (trainer.max_completion_length * token + prompts)


def learning_bytes(config: Config, workload: Workload, lengths: PromptLengths) -> float:
    """Return the time of one rank's passes over its part of an update, as bytes that are read in it.

    A token takes two operations a weight forward and two backward, where the weights themselves have no gradients.
    """
    trainer = config.trainer
    completions = _completions(config) / config.distributed.processes
    prompts = completions / trainer.num_generations if trainer.shared_prompts else completions
    tokens = prompts * lengths.mean + completions * trainer.max_completion_length
    passes = 2 + trainer.gradient_checkpointing + (trainer.beta > 0)
    operations = 2 * workload.shape.num_parameters * passes * trainer.num_iterations
    return operations * tokens / OPERATIONS_A_BYTE


def _completions(config: Config) -> int:
    """Return the completions of one update on all ranks."""
    trainer = config.trainer
    return trainer.per_device_train_batch_size * trainer.gradient_accumulation_steps * config.distributed.processes
