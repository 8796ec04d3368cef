"""Savings: single changes of settings that lower a plan's peak memory."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from launch.plan.memory import peak_bytes
from launch.plan.sampling import workers_beside
from launch.plan.workload import Workload
from rl.config.load import parse_config
from rl.config.root import Config


@dataclass(frozen=True, kw_only=True, slots=True)
class Saving:
    """A change that lowers the peak.

    Example:
        Saving(overrides=("trainer.gradient_checkpointing=true",), peak=2_100_000_000, fits=True)
    """

    overrides: tuple[str, ...]
    """As `heed train` takes them."""
    peak: int
    """Bytes of one process with the change, its libraries included."""
    fits: bool


def find_savings(config: Config, workload: Workload, budget: int) -> list[Saving]:
    """Return the changes that lower the peak: those that fit first, and among them those that train the same."""
    before = peak_bytes(config, workload)
    savings = []
    for overrides in _candidates(config, workload):
        peak = peak_bytes(changed_config(config, overrides), workload)
        if peak < before:
            savings.append(Saving(overrides=overrides, peak=peak, fits=peak <= budget))
    return sorted(savings, key=lambda saving: not saving.fits)


def changed_config(config: Config, overrides: tuple[str, ...]) -> Config:
    """Return the config with dotted overrides of one level, as in `trainer.learning_rate=1e-5`."""
    tree: dict[str, Any] = config.model_dump(mode="json")
    for override in overrides:
        key, _, value = override.partition("=")
        section, _, name = key.partition(".")
        tree[section][name] = value == "true" if value in ("true", "false") else int(value)
    return parse_config(tree)


def _candidates(config: Config, workload: Workload) -> Iterator[tuple[str, ...]]:
    """Yield changes worth a try; those that leave the mathematics alone come first."""
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
    if workers_beside(config, workload.device):
        yield ("rollouts.gpus=1",) if workload.on_gpu else ("rollouts.workers=0",)
    yield ("rollouts.groups_per_unit=1",)
    yield ("evaluation.batch_size=8",)
    if config.distributed.processes > 1 and config.distributed.zero < 3:
        yield ("distributed.zero=3",)
    yield (f"trainer.max_completion_length={max(1, trainer.max_completion_length // 2)}",)


def _halves(number: int) -> Iterator[int]:
    while number % 2 == 0 and number > 1:
        number //= 2
        yield number
