"""The pool: workers as Ray actors, on this machine or on a cluster."""

import logging
import math
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from rl.common.errors import RunFailure
from rl.config.rollouts import RolloutsConfig as Settings
from rl.rollouts.types import RolloutRequest
from rl.rollouts.workers.pool import WorkerFailure
from rl.rollouts.workers.ray_session import ending_children_on_error
from rl.rollouts.workers.worker import Reply, Worker

LOOPBACK = {
    # Ray reads these once, at its import: it listens on 127.0.0.1 only, and leaves CUDA_VISIBLE_DEVICES alone.
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AUTH_MODE": "token",  # as it starts by itself; another rank that joins has to say so
}


class RolloutActor:
    """What runs in an actor: a worker that fetches an adapter when it meets a new version."""

    def __init__(self, make_worker: Callable[[str], Worker], name: str):
        self.worker = make_worker(name)

    def ready(self) -> None:
        """Returns when the model is loaded."""

    def sample(self, unit: RolloutRequest, payload: list) -> Reply:
        """The parcel's reference lies in a list, or Ray would fetch it at every call."""
        import ray

        if self.worker.version != unit.version:
            self.worker.load_adapter(unit.version, ray.get(payload[0]))
        return self.worker.sample(unit)


@dataclass(frozen=True, kw_only=True, slots=True)
class Connection:
    """Where this process met Ray."""

    session: str
    address: str
    ours: bool
    """Whether this process made the connection, and must end it."""
    started: bool = False
    """Whether this process started the Ray that it met."""

    def close(self) -> None:
        """Leave the cluster; a Ray that was started for this run ends."""
        if self.ours:
            import ray

            ray.shutdown()


class RayWorkerPool:
    """Actors, each holding what `make_worker` builds there."""

    def __init__(self, make_worker: Callable[[str], Worker], settings: Settings, connection: Connection):
        import ray

        self._ray = ray
        self._connection = connection
        self._make_worker = make_worker
        self._host = ray.remote(RolloutActor).options(
            num_cpus=settings.cpus, num_gpus=settings.gpus, resources=dict(settings.resources), max_restarts=0
        )

    def spawn(self, name: str) -> Any:
        return self._host.remote(self._make_worker, name)

    def start(self, worker: Any) -> Any:
        return worker.ready.remote()

    def sample(self, worker: Any, unit: RolloutRequest, payload: Any) -> Any:
        return worker.sample.remote(unit, [payload])

    def put(self, payload: bytes) -> Any:
        return self._ray.put(payload)

    def wait(self, jobs: list[Any], timeout: float) -> list[Any]:
        return self._ray.wait(jobs, num_returns=1, timeout=timeout)[0]

    def result(self, job: Any) -> Reply | WorkerFailure | None:
        from ray import exceptions

        try:
            return self._ray.get(job)
        except exceptions.RayTaskError as error:
            if isinstance(error.cause, RunFailure):  # no other worker would do better
                raise error.cause from None
            return WorkerFailure(cause=f"{type(error.cause).__name__}: {error.cause}", fatal=False)
        except exceptions.RayError as error:
            return WorkerFailure(cause=_in_short(error), fatal=True)

    def end(self, worker: Any) -> None:
        self._ray.kill(worker)

    def close(self) -> None:
        self._connection.close()


def _in_short(error: BaseException) -> str:
    """The line of Ray's long messages that says what happened; of a failed start it is the last one, our own error."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or ["no message"]
    return f"{type(error).__name__}: {lines[-1] if 'creation task' in lines[0] else lines[0]}"


def connect(settings: Settings, *, cpus: float) -> Connection:
    """Join the cluster at `settings.address`, else at RAY_ADDRESS, or start Ray on this machine, with so many CPUs.

    Raises RunFailure when there is no cluster at the address.
    """
    address = settings.address or os.environ.get("RAY_ADDRESS")
    # Ray takes 127.0.0.1 for another name of this machine, under which nobody listens here.
    if address is None or address.startswith("127."):
        _stay_alone()
    import ray

    ours = not ray.is_initialized()
    if ours and address is None:
        # Ray only counts CPUs, and a worker for whom none is left would wait for ever.
        sizes = {"num_cpus": math.ceil(cpus) or 1, "object_store_memory": settings.object_store_mb * 2**20}
        _start(settings, **sizes)
    elif ours:
        _join(str(address))
    context = ray.get_runtime_context()
    session, started = context.get_session_name(), ours and address is None
    return Connection(session=session, address=context.gcs_address, ours=ours, started=started)


def _stay_alone() -> None:
    """Let Ray listen on the loopback interface only; a process that Ray itself started is where it is."""
    if "ray" in sys.modules and sys.modules["ray"].is_initialized():
        return
    os.environ.update({name: os.environ.get(name, value) for name, value in LOOPBACK.items()})
    from ray._private import ray_constants

    ray_constants.ENABLE_RAY_CLUSTER = False  # whoever imported Ray before us did so without LOOPBACK


def _start(settings: Settings, **sizes: Any) -> None:
    import ray

    with patience(settings.start_limit), ending_children_on_error():
        try:
            ray.init(
                address="local", include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR, **sizes
            )
        except Exception as error:  # Ray raises no other class here
            raise RunFailure(
                f"Ray did not start on this machine within rollouts.start_limit={settings.start_limit:g} s: {error}"
            ) from error


@contextmanager
def patience(seconds: float) -> Iterator[None]:
    """Stretch the 30 s that Ray gives itself to start, which a busy machine misses (a constant in Ray 2.60)."""
    from ray._private import node as ray_node

    node: Any = ray_node

    class SlowClock:
        """The module `time`, whose seconds last longer."""

        def __getattr__(self, name: str) -> Any:
            return getattr(time, name)

        @staticmethod
        def monotonic() -> float:
            return time.monotonic() * 30.0 / max(seconds, 30.0)

    node.time = SlowClock()
    try:
        yield
    finally:
        node.time = time


def _join(address: str) -> None:
    import ray

    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, ValueError) as error:
        raise RunFailure(
            f"rollouts.address={address}: no Ray cluster answers there ({error}); without it and RAY_ADDRESS a run "
            "starts one on this machine"
        ) from error
