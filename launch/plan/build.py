"""Plan of a recipe: its batch sizes, its memory on a device, its disk and traffic, and what is wrong with it."""

from collections.abc import Iterator
from dataclasses import dataclass

from launch.plan.device import Device
from launch.plan.memory import Phase, Workload, memory_phases, num_trainable
from launch.plan.prompts import PromptLengths, prompt_lengths
from launch.plan.savings import Saving, find_savings
from launch.plan.shape import Shape, shape_of
from launch.plan.sizes import Batch, batches, epochs
from launch.plan.unused import unused_settings
from rl.common.errors import UserError
from rl.config.distributed import DistributedConfig
from rl.config.model import ModelConfig
from rl.config.root import Config

HEADROOM = 0.9
"""Share of a device that a plan may fill: allocators leave gaps."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What would run, and whether it can."""

    config: Config
    device: Device
    shape: Shape
    dtype: str
    lengths: PromptLengths
    batches: list[Batch]
    epochs: float
    trainable: int
    phases: list[Phase]
    budget: int
    """Bytes that one process may use."""
    sync_bytes: int
    """Bytes that each publication of the adapter sends to each node."""
    checkpoint_bytes: int
    """Bytes of disk for the checkpoints that stay, and for the adapter."""
    errors: list[str]
    """Settings that nothing reads, or that contradict the model; a sentence each."""
    savings: list[Saving]
    """Changes that lower the peak; empty when it fits."""

    @property
    def peak(self) -> int:
        """Bytes of one process at its highest, its libraries included."""
        return self.device.overhead + max(phase.total for phase in self.phases)

    @property
    def fits(self) -> bool:
        return self.peak <= self.budget


def make_plan(config: Config, device: Device) -> Plan:
    """Plan a run. Raises UserError for a model whose shape cannot be read, and for data that cannot."""
    shape = shape_of(config.model.name)
    if config.algorithm != "grpo":
        raise UserError(f"heed plan counts GRPO's phases; algorithm={config.algorithm} has others")
    lengths = prompt_lengths(config.data, config.model.name)
    dtype = chosen_dtype(config.model, device)
    workload = Workload(shape=shape, dtype=dtype, longest_prompt=lengths.longest, on_gpu=device.is_gpu)
    trainable = num_trainable(config.lora, shape)
    budget = memory_budget(config.distributed, device)
    phases = memory_phases(config, workload)
    fits = device.overhead + max(phase.total for phase in phases) <= budget
    return Plan(
        config=config,
        device=device,
        shape=shape,
        dtype=dtype,
        lengths=lengths,
        batches=batches(config.trainer, config.distributed.processes, lengths),
        epochs=epochs(config.trainer, config.distributed.processes, lengths),
        trainable=trainable,
        phases=phases,
        budget=budget,
        sync_bytes=4 * trainable,
        # a checkpoint holds the adapter and Adam's two states; the adapter is saved once more at the end
        checkpoint_bytes=4 * trainable * (3 * config.trainer.save_total_limit + 1),
        errors=[*unused_settings(config), *shape_errors(config, shape, lengths)],
        savings=[] if fits else find_savings(config, workload, device, budget),
    )


def chosen_dtype(model: ModelConfig, device: Device) -> str:
    """Return the number format that `model.dtype: auto` chooses on the device."""
    if model.dtype != "auto":
        return model.dtype
    return "bfloat16" if device.has_bf16 else "float32"


def memory_budget(ranks: DistributedConfig, device: Device) -> int:
    """Return the bytes for one process: a rank's share of a GPU, or of the memory of its machine."""
    share = (ranks.gpus or 1.0) if device.is_gpu else ranks.nodes / ranks.processes
    return int(HEADROOM * device.memory * share)


def shape_errors(config: Config, shape: Shape, lengths: PromptLengths) -> Iterator[str]:
    """Yield a sentence for each setting that contradicts the model."""
    longest = lengths.longest + config.trainer.max_completion_length
    if shape.positions is not None and longest > shape.positions:
        yield (
            f"trainer.max_completion_length={config.trainer.max_completion_length} after a prompt of {lengths.longest} "
            f"tokens is {longest}, but {config.model.name} was made for {shape.positions}; lower it"
        )
    outside = [layer for layer in config.probe.layers or () if not 0 <= layer < shape.layers]
    if outside:
        yield f"probe.layers: {outside} do not exist; {config.model.name} has layers 0 to {shape.layers - 1}"
