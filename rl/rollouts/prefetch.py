"""Prefetch: the next generation batches are sampled while the learner works, never staler than allowed."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from rl.common.errors import RunFailure
from rl.rollouts.interfaces import Outcome, SampledRequest
from rl.rollouts.types import RolloutRequest, Sample

SavedRequest = dict[str, Any]
"""A sampled request as plain values: its position, version, worker and samples."""


class Prefetch:
    """The batches that are in flight; `max_staleness` counts optimizer steps, 0 samples nothing ahead."""

    def __init__(self, max_staleness: int):
        self.max_staleness = max_staleness
        self.requests: dict[int, list[RolloutRequest]] = {}
        """Dispatched and not collected yet, by generation batch."""
        self._saved: dict[int, tuple[int, SampledRequest]] = {}
        """Sampled before a resume: version and samples by position."""
        self._restored: dict[RolloutRequest, SampledRequest] = {}

    def batches_after(self, batch: int, trainer: Any) -> range:
        """Return the batches that may be sampled ahead with the weights that `batch` is sampled with."""
        if not self.max_staleness:
            return range(0)
        arguments = trainer.args
        per_batch = arguments.steps_per_generation * trainer.num_iterations
        steps = -(-per_batch // arguments.gradient_accumulation_steps)
        last = (arguments.max_steps * arguments.gradient_accumulation_steps - 1) // per_batch
        return range(batch + 1, min(batch + self.max_staleness // steps, last) + 1)

    def add(self, batch: int, new: list[RolloutRequest]) -> tuple[list[RolloutRequest], list[RolloutRequest]]:
        """Register a batch's requests; return all of them, and those that still have to be sampled."""
        requests, unsampled = [], []
        for request in new:
            if request.position in self._saved:
                version, sampled = self._saved.pop(request.position)
                request = replace(request, version=version)
                self._restored[request] = sampled
            else:
                unsampled.append(request)
            requests.append(request)
        self.requests[batch] = requests
        return requests, unsampled

    def pop(self, batch: int) -> dict[RolloutRequest, SampledRequest]:
        """Remove a batch that is being collected; return those of its requests that a resume restored."""
        return {
            request: self._restored.pop(request) for request in self.requests.pop(batch) if request in self._restored
        }

    def in_flight(self) -> list[RolloutRequest]:
        """Return all requests that are not collected yet."""
        return [request for requests in self.requests.values() for request in requests]

    def staleness(self, requests: Sequence[RolloutRequest], version: int) -> dict[str, float]:
        """Return the optimizer steps between sampling and training, to be logged.

        Raises RunFailure when there are more than allowed.
        """
        steps = [version - request.version for request in requests]
        if max(steps) > self.max_staleness:
            late = requests[steps.index(max(steps))]
            raise RunFailure(f"{late} is {max(steps)} steps stale, rollouts.max_staleness={self.max_staleness}")
        return {"sync/staleness_mean": sum(steps) / len(steps), "sync/staleness_max": float(max(steps))}

    def state(self, finished: Mapping[RolloutRequest, Outcome]) -> list[SavedRequest]:
        """Return every request that was sampled ahead; a resume samples the others again."""
        sampled = {request: outcome for request, outcome in finished.items() if isinstance(outcome, SampledRequest)}
        sampled |= self._restored
        return [
            {
                "position": request.position,
                "version": request.version,
                "worker": sampled[request].worker,
                "samples": [asdict(sample) for sample in sampled[request].samples],
            }
            for request in self.in_flight()
            if request in sampled
        ]

    def restore(self, state: Sequence[SavedRequest]) -> None:
        for saved in state:
            samples = [_sample(values) for values in saved["samples"]]
            sampled = SampledRequest(samples=samples, worker=saved["worker"], seconds=0.0)
            self._saved[saved["position"]] = (saved["version"], sampled)


def _sample(values: Mapping[str, Any]) -> Sample:
    """Build a sample from JSON, which has lists instead of tuples."""
    return Sample(**{name: tuple(value) if isinstance(value, list) else value for name, value in values.items()})  # pyright: ignore
