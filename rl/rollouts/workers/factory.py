"""Worker factory: plain values that travel to another machine and become a worker there."""

from dataclasses import dataclass

from rl.rollouts.engines import EngineSetup, build_worker_engine
from rl.rollouts.workers.worker import Worker


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkerFactory:
    """Makes a worker when called with a name; the base model is loaded then, once."""

    engine: str = "transformers"
    setup: EngineSetup
    probe_ids: tuple[int, ...]

    def __call__(self, name: str) -> Worker:
        return Worker(build_worker_engine(self.engine, self.setup), name=name, probe_ids=self.probe_ids)
