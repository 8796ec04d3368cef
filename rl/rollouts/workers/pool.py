"""The crew: what the dispatcher asks of whoever runs the workers."""

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from rl.rollouts.types import RolloutRequest
from rl.rollouts.workers.worker import Reply


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkerFailure:
    """A call that did not come back with a result."""

    cause: str
    fatal: bool
    """Whether the worker is gone too."""


@runtime_checkable
class WorkerPool(Protocol):
    """Workers somewhere else: how to start one, ask it, and end it. A job is a call under way."""

    def spawn(self, name: str) -> Any: ...

    def start(self, worker: Any) -> Any:
        """The job of loading the model."""
        ...

    def sample(self, worker: Any, unit: RolloutRequest, payload: Any) -> Any: ...

    def put(self, payload: bytes) -> Any:
        """Offer an adapter; what comes back goes to `sample`."""
        ...

    def wait(self, jobs: list[Any], timeout: float) -> list[Any]:
        """Jobs that are over, after at most `timeout` seconds."""
        ...

    def result(self, job: Any) -> Reply | WorkerFailure | None:
        """What a job that is over came to; None of one that only started a worker."""
        ...

    def end(self, worker: Any) -> None:
        """End a worker, dead or alive, at once."""
        ...

    def close(self) -> None: ...
