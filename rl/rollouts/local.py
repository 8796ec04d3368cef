"""Local sampling: the live model answers requests in the trainer's own process, without workers."""

import time
from collections.abc import Sequence
from typing import Any

from rl.rollouts.interfaces import Engine, Outcome, SampledRequest
from rl.rollouts.sparse_gate import SparseGate
from rl.rollouts.types import RolloutRequest
from rl.routing.route import Route


class LocalSampler:
    """Answers requests when they are collected; nothing is published, because the engine has the live model."""

    def __init__(self, engine: Engine, gate: SparseGate | None = None):
        self.engine = engine
        self.gate = gate
        """Decides how prompts are read; None reads them densely."""

    def route_by(self, route: Route) -> None:
        engine: Any = self.engine  # the config's checks let only an engine that supports routing come here
        engine.route = route

    def publish(self, version: int) -> dict[str, float]:
        return {}

    def submit(self, requests: Sequence[RolloutRequest]) -> None:
        """Nothing happens ahead of time."""

    def collect(self, requests: Sequence[RolloutRequest]) -> list[Outcome]:
        return [self._sample(request) for request in requests]

    def _sample(self, request: RolloutRequest) -> SampledRequest:
        start = time.perf_counter()
        samples = self.engine.sample(request) if self.gate is None else self.gate.sample(request, self.engine)
        return SampledRequest(samples=samples, worker="in-process", seconds=time.perf_counter() - start)

    def pop_metrics(self) -> dict[str, float]:
        return {} if self.gate is None else self.gate.pop_metrics()

    def finished(self) -> dict[RolloutRequest, Outcome]:
        return {}

    def close(self) -> None:
        """There are no workers to end."""
