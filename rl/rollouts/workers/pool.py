"""Worker pool: the interface through which the dispatcher starts workers, calls them and ends them."""

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from rl.rollouts.types import RolloutRequest
from rl.rollouts.workers.worker import Reply


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkerFailure:
    """A call that did not return a result."""

    cause: str
    fatal: bool
    """Whether the worker is gone too."""


@runtime_checkable
class WorkerPool(Protocol):
    """Workers in other processes. A job is a call under way."""

    def spawn(self, name: str) -> Any: ...

    def start(self, worker: Any) -> Any:
        """Have a worker load its model; return the job."""
        ...

    def sample(self, worker: Any, request: RolloutRequest, payload: Any) -> Any:
        """Have a worker answer a request with the adapter that `put` returned as `payload`; return the job."""
        ...

    def put(self, payload: bytes) -> Any:
        """Offer a serialized adapter; return the reference that `sample` takes."""
        ...

    def wait(self, jobs: list[Any], timeout: float) -> list[Any]:
        """Return the jobs that are done, after at most `timeout` seconds."""
        ...

    def result(self, job: Any) -> Reply | WorkerFailure | None:
        """Return what a finished job returned; None for one that started a worker."""
        ...

    def end(self, worker: Any) -> None:
        """End a worker at once, whether it is alive or not."""
        ...

    def close(self) -> None: ...
