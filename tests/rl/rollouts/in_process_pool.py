"""A pool of workers in this process: what Ray does, without Ray."""

import pytest

from rl.config.rollouts import RolloutsConfig
from rl.rollouts.types import RolloutRequest
from rl.rollouts.workers import sampler
from rl.rollouts.workers.factory import WorkerFactory
from rl.rollouts.workers.ray_pool import Connection
from rl.rollouts.workers.worker import Reply, Worker


class InProcessPool:
    """Workers that are called in the dispatcher's own thread."""

    def __init__(self, factory: WorkerFactory, settings: RolloutsConfig, connection: Connection, *, gpus: tuple = ()):
        self.factory = factory

    def spawn(self, name: str) -> Worker:
        return self.factory(name)

    def start(self, worker: Worker) -> tuple:
        return (worker, None, None)

    def sample(self, worker: Worker, request: RolloutRequest, payload: bytes) -> tuple:
        return (worker, request, payload)

    def put(self, payload: bytes) -> bytes:
        return payload

    def wait(self, jobs: list[tuple], timeout: float) -> list[tuple]:
        return jobs[:1]

    def result(self, job: tuple) -> Reply | None:
        worker, request, payload = job
        if request is None:
            return None
        if worker.version != request.version:
            worker.load_adapter(request.version, payload)
        return worker.sample(request)

    def end(self, worker: Worker) -> None:
        pass

    def close(self) -> None:
        pass


def use_in_process_pool(patch: pytest.MonkeyPatch) -> None:
    """Have every trainer start its workers in this process."""
    patch.setattr(sampler, "connect", lambda settings, cpus: Connection(session="", address="", owned=False))
    patch.setattr(sampler, "RayWorkerPool", InProcessPool)
