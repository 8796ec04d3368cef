"""In-process sampling: the live model itself, when there are no workers."""

import time
from collections.abc import Sequence

from rl.rollouts.engine_hf import TransformersEngine
from rl.rollouts.interfaces import Dropped, Engine, Sampled
from rl.rollouts.types import RolloutRequest
from rl.routing.route import Route


class LocalSampler:
    """Samples units when they are collected; nothing needs to be published, for the engine has the live model."""

    def __init__(self, engine: Engine):
        self.engine = engine

    def route_by(self, route: Route) -> None:
        assert isinstance(self.engine, TransformersEngine)
        self.engine.route = route

    def publish(self, version: int) -> dict[str, float]:
        return {}

    def submit(self, units: Sequence[RolloutRequest]) -> None:
        """Nothing happens ahead of time."""

    def collect(self, units: Sequence[RolloutRequest]) -> list[Sampled | Dropped]:
        return [self._sample(unit) for unit in units]

    def _sample(self, unit: RolloutRequest) -> Sampled:
        start = time.perf_counter()
        samples = self.engine.sample(unit)
        return Sampled(samples=samples, worker="in-process", seconds=time.perf_counter() - start)

    def figures(self) -> dict[str, float]:
        return {}

    def finished(self) -> dict[RolloutRequest, Sampled | Dropped]:
        return {}

    def close(self) -> None:
        """Nothing to give back."""
