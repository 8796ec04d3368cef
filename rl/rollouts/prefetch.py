"""Sampling ahead: the next batches are sampled while the learner works, never staler than allowed."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from rl.common.errors import RunFailure
from rl.rollouts.interfaces import Dropped, Sampled
from rl.rollouts.types import RolloutRequest, Sample

BufferedBatch = dict[str, Any]
"""One sampled unit as plain values: its position, version, worker and samples."""


class Prefetch:
    """Which batches are out, at which versions; `max_staleness` counts optimizer steps, 0 samples nothing ahead."""

    def __init__(self, max_staleness: int):
        self.max_staleness = max_staleness
        self.units: dict[int, list[RolloutRequest]] = {}
        """Handed out and not yet taken, by generation batch."""
        self._kept: dict[int, tuple[int, Sampled]] = {}
        """Sampled before a resume: version and samples by position."""
        self._restored: dict[RolloutRequest, Sampled] = {}

    def batches_after(self, batch: int, trainer: Any) -> range:
        """The batches that may be sampled with the weights that `batch` finds."""
        if not self.max_staleness:
            return range(0)
        arguments = trainer.args
        per_batch = arguments.steps_per_generation * trainer.num_iterations
        steps = -(-per_batch // arguments.gradient_accumulation_steps)
        last = (arguments.max_steps * arguments.gradient_accumulation_steps - 1) // per_batch
        return range(batch + 1, min(batch + self.max_staleness // steps, last) + 1)

    def add(self, batch: int, cut: list[RolloutRequest]) -> tuple[list[RolloutRequest], list[RolloutRequest]]:
        """All units of a batch, and those of them that still have to be sampled."""
        units, fresh = [], []
        for unit in cut:
            if unit.position in self._kept:
                version, sampled = self._kept.pop(unit.position)
                unit = replace(unit, version=version)
                self._restored[unit] = sampled
            else:
                fresh.append(unit)
            units.append(unit)
        self.units[batch] = units
        return units, fresh

    def take(self, batch: int) -> dict[RolloutRequest, Sampled]:
        """A batch is collected: what of it was sampled before a resume."""
        return {unit: self._restored.pop(unit) for unit in self.units.pop(batch) if unit in self._restored}

    def ahead(self) -> list[RolloutRequest]:
        return [unit for units in self.units.values() for unit in units]

    def staleness(self, units: Sequence[RolloutRequest], version: int) -> dict[str, float]:
        """Optimizer steps between sampling and training. Raises RunFailure when there are more than allowed."""
        steps = [version - unit.version for unit in units]
        if max(steps) > self.max_staleness:
            late = units[steps.index(max(steps))]
            raise RunFailure(f"{late} is {max(steps)} steps stale, rollouts.max_staleness={self.max_staleness}")
        return {"sync/staleness_mean": sum(steps) / len(steps), "sync/staleness_max": float(max(steps))}

    def state(self, finished: Mapping[RolloutRequest, Sampled | Dropped]) -> list[BufferedBatch]:
        """Every unit ahead that is sampled already; the others are sampled again after a resume."""
        sampled = {unit: outcome for unit, outcome in finished.items() if isinstance(outcome, Sampled)}
        sampled |= self._restored
        return [
            {
                "position": unit.position,
                "version": unit.version,
                "worker": sampled[unit].worker,
                "samples": [asdict(sample) for sample in sampled[unit].samples],
            }
            for unit in self.ahead()
            if unit in sampled
        ]

    def restore(self, state: Sequence[BufferedBatch]) -> None:
        for kept in state:
            samples = [_sample(values) for values in kept["samples"]]
            sampled = Sampled(samples=samples, worker=kept["worker"], seconds=0.0)
            self._kept[kept["position"]] = (kept["version"], sampled)


def _sample(values: Mapping[str, Any]) -> Sample:
    """JSON knows no tuples."""
    return Sample(**{name: tuple(value) if isinstance(value, list) else value for name, value in values.items()})  # pyright: ignore
