"""Plan of a recipe: its batch sizes, its memory on a device, its disk and traffic, and what is wrong with it."""

from collections.abc import Iterator
from dataclasses import dataclass

from launch.plan.activations import adapter_ranks
from launch.plan.device import Device
from launch.plan.memory import Phase, host_bytes, memory_phases, peak_bytes
from launch.plan.overlap import Overlap, predicted_overlap
from launch.plan.prompts import PromptLengths, prompt_lengths
from launch.plan.sampling import engine_errors
from launch.plan.savings import Saving, find_savings
from launch.plan.shape import Shape, num_trainable, shape_of
from launch.plan.sizes import Batch, batches, epochs
from launch.plan.unused import unused_settings
from launch.plan.workload import Workload
from rl.common.errors import UserError
from rl.config.distributed import DistributedConfig
from rl.config.model import ModelConfig, no_bfloat16
from rl.config.root import Config

HEADROOM = 0.9
"""Share of a device that a plan may fill: the driver keeps some, and cards sold under one size differ."""


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
    host_bytes: int
    """Bytes of main memory of each node with GPUs, at their most while the model is loaded; 0 without GPUs."""
    sync_bytes: int
    """Bytes that each publication of the adapter sends to each node."""
    checkpoint_bytes: int
    """Bytes of disk for the checkpoints that stay, and for the adapter."""
    errors: list[str]
    """Settings that nothing reads, or that contradict the model; a sentence each."""
    savings: list[Saving]
    """Changes that lower the peak; empty when it fits."""
    overlap: Overlap | None
    """What sampling a step ahead would bring; None where it would bring nothing."""

    @property
    def peak(self) -> int:
        """Bytes of one process at its highest, its libraries included."""
        return self.device.overhead + max(phase.total for phase in self.phases)

    @property
    def fits(self) -> bool:
        return self.peak <= self.budget and not self.lacks_host_memory

    @property
    def lacks_host_memory(self) -> bool:
        """Whether the machine that holds the GPU has too little main memory, as far as it is known."""
        return self.device.host_memory is not None and self.host_bytes > HEADROOM * self.device.host_memory


def make_plan(config: Config, device: Device) -> Plan:
    """Plan a run. Raises UserError for a model whose shape cannot be read, and for data that cannot."""
    shape = shape_of(config.model.name)
    if config.algorithm != "grpo":
        raise UserError(f"heed plan counts GRPO's phases; algorithm={config.algorithm} has others")
    lengths = prompt_lengths(config.data, config.model.name, config.model.chat_template_kwargs)
    if config.trainer.num_train_epochs is not None:
        steps = config.trainer.steps_of_epochs(
            lengths.num_problems, ranks=config.distributed.processes, is_grpo=config.algorithm == "grpo"
        )
        config = config.model_copy(update={"trainer": config.trainer.model_copy(update={"max_steps": steps})})
    dtype = chosen_dtype(config.model, device)
    workload = Workload(
        shape=shape, dtype=dtype, quantization=config.model.quantization, longest_prompt=lengths.longest, device=device
    )
    trainable = num_trainable(config.lora, shape, adapter_ranks(config))
    budget = memory_budget(config.distributed, device)
    return Plan(
        config=config,
        device=device,
        shape=shape,
        dtype=dtype,
        lengths=lengths,
        batches=batches(config.trainer, config.distributed.processes, lengths),
        epochs=epochs(config.trainer, config.distributed.processes, lengths),
        trainable=trainable,
        phases=memory_phases(config, workload),
        budget=budget,
        host_bytes=host_bytes(config, workload),
        sync_bytes=4 * trainable,
        # a checkpoint holds the adapter and Adam's two states; the adapter is saved once more at the end
        checkpoint_bytes=4 * trainable * (3 * config.trainer.save_total_limit + 1),
        errors=[
            *unused_settings(config),
            *shape_errors(config, shape, lengths),
            *device_errors(config.model, device),
            *engine_errors(config, workload),
        ],
        savings=[] if peak_bytes(config, workload) <= budget else find_savings(config, workload, budget),
        overlap=predicted_overlap(config, workload, lengths),
    )


def chosen_dtype(model: ModelConfig, device: Device) -> str:
    """Return the number format that `model.dtype: auto` chooses on the device."""
    if model.dtype != "auto":
        return model.dtype
    return "bfloat16" if device.has_bf16 else "float32"


def memory_budget(ranks: DistributedConfig, device: Device) -> int:
    """Return the bytes for one process and the workers beside it: a GPU's, or a rank's share of a machine's memory.

    Ray's shares of a GPU (`distributed.gpus`, `rollouts.gpus`) decide who is placed on it, and limit no memory.
    """
    return int(HEADROOM * device.memory * (1.0 if device.is_gpu else ranks.nodes / ranks.processes))


def device_errors(model: ModelConfig, device: Device) -> Iterator[str]:
    """Yield a sentence for a number format that the GPU does not compute in."""
    if model.dtype == "bfloat16" and device.is_gpu and not device.has_bf16:
        yield no_bfloat16(device.name)


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
