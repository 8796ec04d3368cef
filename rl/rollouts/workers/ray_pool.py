"""Ray worker pool: workers as Ray actors, on this machine or on a cluster."""

import logging
import math
import os
import secrets
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from rl.common.errors import RunFailure
from rl.common.gpu_environment import GPU_ENVIRONMENT
from rl.config.rollouts import RolloutsConfig
from rl.rollouts.types import RolloutRequest
from rl.rollouts.workers.pool import WorkerFailure
from rl.rollouts.workers.ray_session import ending_children_on_error
from rl.rollouts.workers.worker import Reply, Worker

TOKEN = "RAY_AUTH_TOKEN"
"""Variable of the secret by which the processes of one run's Ray know each other."""
LOOPBACK = {
    # It listens on 127.0.0.1 only, and leaves CUDA_VISIBLE_DEVICES alone.
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AUTH_MODE": "token",  # Ray's own default when it starts; a rank that joins has to set it
}


class RolloutActor:
    """The class that Ray instantiates: a worker that fetches an adapter when a request asks for a new version."""

    def __init__(self, make_worker: Callable[[str], Worker], name: str):
        self._make_worker, self._name = make_worker, name

    def ready(self) -> None:
        """Load the model; not at the start, from which no error would arrive as itself."""
        self.worker = self._make_worker(self._name)

    def sample(self, request: RolloutRequest, payload: list) -> Reply:
        """Answer a request; the payload's reference is in a list, or Ray would fetch it at every call."""
        import ray

        if self.worker.version != request.version:
            self.worker.load_adapter(request.version, ray.get(payload[0]))
        return self.worker.sample(request)


@dataclass(frozen=True, kw_only=True, slots=True)
class Connection:
    """This process's connection to Ray."""

    session: str
    address: str
    owned: bool
    """Whether this process made the connection, and must end it."""
    started: bool = False
    """Whether this process started that Ray."""

    def close(self) -> None:
        """Leave the cluster; a Ray that was started for this run ends."""
        if self.owned:
            import ray

            ray.shutdown()


class RayWorkerPool:
    """Ray actors, each with a worker that `make_worker` builds there.

    With `gpus`, names in CUDA_VISIBLE_DEVICES, each worker sees one of them, in turn; without, Ray gives it the GPUs
    that it reserves.
    """

    def __init__(
        self,
        make_worker: Callable[[str], Worker],
        settings: RolloutsConfig,
        connection: Connection,
        *,
        gpus: Sequence[str] = (),
    ):
        import ray

        self._ray = ray
        self._connection = connection
        self._make_worker = make_worker
        self._gpus = gpus
        self._gpu_of: dict[str, str] = {}
        """The GPU of each worker by name, which a replacement takes over."""
        self._reserved = {
            "num_cpus": settings.cpus,
            "num_gpus": 0.0 if gpus else settings.gpus,
            "resources": dict(settings.resources),
        }
        self._actor_class = ray.remote(RolloutActor)

    def spawn(self, name: str) -> Any:
        options, variables = {**self._reserved, "max_restarts": 0}, self._variables(name)
        if variables:
            options["runtime_env"] = {"env_vars": variables}
        return self._actor_class.options(**options).remote(self._make_worker, name)

    def _variables(self, name: str) -> dict[str, str]:
        """Return the environment variables of a worker with a GPU; none on a CPU."""
        if not self._gpus:
            return GPU_ENVIRONMENT if self._reserved["num_gpus"] else {}
        gpu = self._gpu_of.setdefault(name, self._gpus[len(self._gpu_of) % len(self._gpus)])
        # The process inherits the number of the rank that started Ray, whose GPU it does not see.
        return GPU_ENVIRONMENT | {"CUDA_VISIBLE_DEVICES": gpu, "LOCAL_RANK": "0"}

    def start(self, worker: Any) -> Any:
        return worker.ready.remote()

    def sample(self, worker: Any, request: RolloutRequest, payload: Any) -> Any:
        return worker.sample.remote(request, [payload])

    def put(self, payload: bytes) -> Any:
        return self._ray.put(payload)

    def wait(self, jobs: list[Any], timeout: float) -> list[Any]:
        return self._ray.wait(jobs, num_returns=1, timeout=timeout)[0]

    def result(self, job: Any) -> Reply | WorkerFailure | None:
        from ray import exceptions

        try:
            return self._ray.get(job)
        except exceptions.RayTaskError as error:
            if isinstance(error.cause, RunFailure):  # any other worker would fail alike
                raise error.cause from None
            return WorkerFailure(cause=f"{type(error.cause).__name__}: {error.cause}", fatal=False)
        except exceptions.RayError as error:
            return WorkerFailure(cause=_summary(error), fatal=True)

    def end(self, worker: Any) -> None:
        self._ray.kill(worker)

    def close(self) -> None:
        self._connection.close()


def _summary(error: BaseException) -> str:
    """Return the first line of Ray's long message."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or ["no message"]
    return f"{type(error).__name__}: {lines[0]}"


def connect(settings: RolloutsConfig, *, cpus: float) -> Connection:
    """Join the cluster at `settings.address`, else at RAY_ADDRESS, or start Ray on this machine with `cpus` CPUs.

    Raises RunFailure when there is no cluster at the address.
    """
    address = settings.address or os.environ.get("RAY_ADDRESS")
    # Ray would replace 127.0.0.1 by another address of this machine, on which it does not listen here.
    if address is None:
        make_token()
    if address is None or address.startswith("127."):
        _listen_on_loopback()
    import ray

    owned = not ray.is_initialized()
    if owned and address is None:
        # Ray only counts CPUs, and a worker for which none is left would wait for ever.
        store = {} if settings.object_store_mb is None else {"object_store_memory": settings.object_store_mb * 2**20}
        sizes = {"num_cpus": math.ceil(cpus) or 1, **store}
        _start(settings, **sizes)
    elif owned:
        _join_cluster(str(address))
    context = ray.get_runtime_context()
    session, started = context.get_session_name(), owned and address is None
    return Connection(session=session, address=context.gcs_address, owned=owned, started=started)


def _listen_on_loopback() -> None:
    """Make Ray listen on the loopback interface only; in a process that Ray itself started it is too late for that."""
    if "ray" in sys.modules and sys.modules["ray"].is_initialized():
        return
    os.environ.update({name: os.environ.get(name, value) for name, value in LOOPBACK.items()})
    from ray import _raylet
    from ray._private import ray_constants

    # Ray reads the variables once, and may have been imported before: by vLLM, which TRL imports where it is installed.
    ray_constants.ENABLE_RAY_CLUSTER = False
    raylet: Any = _raylet
    raylet.Config.initialize("")
    raylet.AuthenticationTokenLoader.instance().reset_cache()


def _start(settings: RolloutsConfig, **sizes: Any) -> None:
    import ray

    with extended_start_timeout(settings.start_limit), ending_children_on_error():
        try:
            ray.init(
                address="local", include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR, **sizes
            )
        except Exception as error:  # Ray raises nothing more specific here
            raise RunFailure(
                f"Ray did not start on this machine within rollouts.start_limit={settings.start_limit:g} s: {error}"
            ) from error


def make_token() -> None:
    """Put a token for Ray's authentication into the environment, unless one is there.

    Ray's own is a file in the home folder, which two first starts at the same moment overwrite.
    """
    os.environ.setdefault(TOKEN, secrets.token_hex(32))


@contextmanager
def extended_start_timeout(seconds: float) -> Iterator[None]:
    """Extend the 30 s that Ray waits for its own start, too short for a busy machine (a constant in Ray 2.60)."""
    from ray._private import node as ray_node

    node: Any = ray_node

    class SlowClock:
        """The module `time` with a slower `monotonic`."""

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


def _join_cluster(address: str) -> None:
    import ray

    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, ValueError) as error:
        raise RunFailure(
            f"rollouts.address={address}: no Ray cluster answers there ({error}); without it and RAY_ADDRESS a run "
            "starts one on this machine"
        ) from error
