"""The plan of a recipe: its sizes, its memory against a device, its disk and traffic, and what is wrong with it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from launch.plan.device import Device
from launch.plan.memory import Phase, Setting, num_trainable, phases
from launch.plan.prompts import PromptLengths, prompt_lengths
from launch.plan.shape import Shape, shape_of
from launch.plan.sizes import Batch, batches, epochs
from launch.plan.unused import unused_settings
from rl.common.errors import UserError
from rl.config.load import parse_config
from rl.config.root import Config

HEADROOM = 0.9
"""Share of a device that a plan may fill: allocators leave gaps."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Knob:
    """A change that lowers the peak: overrides as `heed train` takes them, and the peak with them, in bytes."""

    overrides: tuple[str, ...]
    peak: int
    fits: bool


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
    """Bytes one process may use."""
    sync_bytes: int
    """What each publication of the adapter sends to each node."""
    checkpoint_bytes: int
    """Disk that the kept checkpoints and the adapter take."""
    mistakes: list[str]
    knobs: list[Knob]

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
    dtype = chosen_dtype(config, device)
    setting = Setting(shape=shape, dtype=dtype, longest_prompt=lengths.longest, on_gpu=device.is_gpu)
    trainable = num_trainable(config.lora, shape)
    budget = memory_budget(config, device)
    found = phases(config, setting)
    needs = device.overhead + max(phase.total for phase in found)
    return Plan(
        config=config,
        device=device,
        shape=shape,
        dtype=dtype,
        lengths=lengths,
        batches=batches(config, lengths),
        epochs=epochs(config, lengths),
        trainable=trainable,
        phases=found,
        budget=budget,
        sync_bytes=4 * trainable,
        # a checkpoint holds the adapter and Adam's two states; the adapter is kept once more at the end
        checkpoint_bytes=4 * trainable * (3 * config.trainer.save_total_limit + 1),
        mistakes=[*unused_settings(config), *shape_mistakes(config, shape, lengths)],
        knobs=[] if needs <= budget else knobs(config, setting, device, budget),
    )


def chosen_dtype(config: Config, device: Device) -> str:
    """What `model.dtype: auto` comes to on the device."""
    if config.model.dtype != "auto":
        return config.model.dtype
    return "bfloat16" if device.has_bf16 else "float32"


def memory_budget(config: Config, device: Device) -> int:
    """Bytes for one process: a rank has its share of a GPU, and shares a machine's memory with all that run on it."""
    ranks = config.distributed
    share = (ranks.gpus or 1.0) if device.is_gpu else ranks.nodes / ranks.processes
    return int(HEADROOM * device.memory * share)


def shape_mistakes(config: Config, shape: Shape, lengths: PromptLengths) -> Iterator[str]:
    """Settings that contradict the model."""
    longest = lengths.longest + config.trainer.max_completion_length
    if shape.positions is not None and longest > shape.positions:
        yield (
            f"trainer.max_completion_length={config.trainer.max_completion_length} after a prompt of {lengths.longest} "
            f"tokens is {longest}, but {config.model.name} was made for {shape.positions}; lower it"
        )
    outside = [layer for layer in config.probe.layers or () if not 0 <= layer < shape.layers]
    if outside:
        yield f"probe.layers: {outside} do not exist; {config.model.name} has layers 0 to {shape.layers - 1}"


def knobs(config: Config, setting: Setting, device: Device, budget: int) -> list[Knob]:
    """Single changes that lower the peak, the most helpful first; those that leave the mathematics alone come first."""
    found = []
    before = max(phase.total for phase in phases(config, setting))
    for overrides in _candidates(config):
        changed = changed_config(config, overrides)
        peak = max(phase.total for phase in phases(changed, setting))
        if peak < before:
            total = device.overhead + peak
            found.append(Knob(overrides=overrides, peak=total, fits=total <= budget))
    return sorted(found, key=lambda knob: not knob.fits)


def _candidates(config: Config) -> Iterator[tuple[str, ...]]:
    trainer = config.trainer
    batch = trainer.per_device_train_batch_size
    for smaller in _halves(batch):
        steps = trainer.gradient_accumulation_steps * batch // smaller
        yield (
            f"trainer.per_device_train_batch_size={smaller}",
            f"trainer.gradient_accumulation_steps={steps}",
            *(
                [f"trainer.steps_per_generation={trainer.steps_per_generation * batch // smaller}"]
                if trainer.steps_per_generation
                else []
            ),
        )
    if not trainer.gradient_checkpointing:
        yield ("trainer.gradient_checkpointing=true",)
    yield ("rollouts.groups_per_unit=1",)
    yield ("evaluation.batch_size=8",)
    if config.distributed.processes > 1 and config.distributed.zero < 3:
        yield ("distributed.zero=3",)
    yield (f"trainer.max_completion_length={max(1, trainer.max_completion_length // 2)}",)


def _halves(number: int) -> Iterator[int]:
    while number % 2 == 0 and number > 1:
        number //= 2
        yield number


def changed_config(config: Config, overrides: tuple[str, ...]) -> Config:
    """The config with dotted overrides of one level, as `trainer.learning_rate=1e-5`."""
    tree: dict[str, Any] = config.model_dump(mode="json")
    for override in overrides:
        key, _, value = override.partition("=")
        section, _, name = key.partition(".")
        tree[section][name] = value == "true" if value in ("true", "false") else int(value)
    return parse_config(tree)
