"""Savings: single changes of settings that lower a plan's peak memory."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from launch.plan.memory import peak_bytes
from launch.plan.sampling import engine_bytes, worker_bytes, workers_beside
from launch.plan.workload import Workload
from rl.config.load import with_overrides
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
    for overrides in _candidates(config, workload, budget):
        peak = peak_bytes(with_overrides(config, overrides), workload)
        if peak < before:
            savings.append(Saving(overrides=overrides, peak=peak, fits=peak <= budget))
    return sorted(savings, key=lambda saving: not saving.fits)


def _candidates(config: Config, workload: Workload, budget: int) -> Iterator[tuple[str, ...]]:
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
    if share := _smaller_engines(config, workload, budget):
        yield (f"rollouts.vllm.gpu_memory_utilization={share}",)
    if workers_beside(config, workload.device):
        yield ("rollouts.gpus=1",) if workload.on_gpu else ("rollouts.workers=0",)
    if config.rollouts.packed_weights:
        yield ("rollouts.packed_weights=false",)
    yield ("rollouts.groups_per_unit=1",)
    yield ("evaluation.batch_size=8",)
    if config.distributed.processes > 1 and config.distributed.zero < 3:
        yield ("distributed.zero=3",)
    yield (f"trainer.max_completion_length={max(1, trainer.max_completion_length // 2)}",)


def _smaller_engines(config: Config, workload: Workload, budget: int) -> float:
    """Return the share of a GPU at which its vLLM engines fit beside the rank, or 0 where they need more than that."""
    beside = workers_beside(config, workload.device)
    if config.rollouts.engine != "vllm" or not workload.on_gpu or not beside:
        return 0.0
    rank = peak_bytes(config, workload) - beside * worker_bytes(config, workload)
    room = (budget - rank) // beside
    share = math.floor(100 * room / workload.device.memory) / 100
    return share if room >= engine_bytes(config, workload) else 0.0


def _halves(number: int) -> Iterator[int]:
    while number % 2 == 0 and number > 1:
        number //= 2
        yield number
