"""Server pool: workers as threads of this process, each of which asks one server of the user's own."""

import threading
import time
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field

from rl.rollouts.engine_vllm_server import VllmServerEngine, server_engine, shared_adapters
from rl.rollouts.engines import EngineSetup
from rl.rollouts.served_adapters import ServedAdapters
from rl.rollouts.types import RolloutRequest
from rl.rollouts.vllm_http import ServerLost
from rl.rollouts.workers.pool import WorkerFailure
from rl.rollouts.workers.worker import Reply, Worker

POLL_SECONDS = 1.0
"""Between two looks whether a server that was lost is back."""
UNLOAD_SECONDS = 10.0


@dataclass(kw_only=True, slots=True)
class ServerWorker:
    """A worker and the server that it asks."""

    url: str
    worker: Worker
    engine: VllmServerEngine
    thread: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(max_workers=1))
    ended: threading.Event = field(default_factory=threading.Event)


class ServerPool:
    """Workers that ask the servers in turn; those of one server share the adapters that it has loaded.

    `setups` has one engine setup for each server. A worker starts when its server answers, within `start_limit`.
    """

    def __init__(self, setups: Sequence[EngineSetup], *, probe_ids: tuple[int, ...], start_limit: float):
        self._setups = setups
        self._probe_ids = probe_ids
        self._start_limit = start_limit
        self._adapters: dict[str, ServedAdapters] = {}
        self._ending: list[Future] = []

    def spawn(self, name: str) -> ServerWorker:
        setup = self._setups[int(name.rpartition(".")[2]) % len(self._setups)]
        assert setup.server is not None
        url = setup.server.url
        adapters = self._adapters.setdefault(url, shared_adapters(setup))
        engine = server_engine(setup, adapters)
        return ServerWorker(url=url, engine=engine, worker=Worker(engine, name=name, probe_ids=self._probe_ids))

    def start(self, worker: ServerWorker) -> Future:
        return worker.thread.submit(self._wait_for_server, worker)

    def sample(self, worker: ServerWorker, request: RolloutRequest, payload: bytes) -> Future:
        return worker.thread.submit(_sample, worker.worker, request, payload)

    def put(self, payload: bytes) -> bytes:
        return payload

    def wait(self, jobs: list[Future], timeout: float) -> list[Future]:
        return list(wait(jobs, timeout, FIRST_COMPLETED).done)

    def result(self, job: Future) -> Reply | WorkerFailure | None:
        try:
            return job.result()
        except ServerLost as error:  # what it had loaded may be lost too
            return WorkerFailure(cause=str(error), fatal=True)

    def end(self, worker: ServerWorker) -> None:
        """Give up what the worker waits for; the next one of its server loads its adapters anew."""
        if self._adapters.get(worker.url) is worker.engine.adapters:
            del self._adapters[worker.url]
        worker.ended.set()
        worker.engine.server.cancel()
        self._ending.append(worker.thread.submit(worker.engine.close))
        worker.thread.shutdown(wait=False)

    def close(self) -> None:
        """Wait until the servers have unloaded what the workers had them load, or do not answer."""
        wait(self._ending, UNLOAD_SECONDS)

    def _wait_for_server(self, worker: ServerWorker) -> None:
        """Return once the server answers. Raises ServerLost before the dispatcher would give up, without a reason."""
        deadline = time.monotonic() + 0.9 * self._start_limit
        while True:
            try:
                worker.engine.server.base_model()
                return
            except ServerLost:
                left = deadline - time.monotonic()
                if left <= 0.0 or worker.ended.wait(min(left, POLL_SECONDS)):
                    raise


def _sample(worker: Worker, request: RolloutRequest, payload: bytes) -> Reply:
    if worker.version != request.version:
        worker.load_adapter(request.version, payload)
    return worker.sample(request)
