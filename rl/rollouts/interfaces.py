"""Interfaces of sampling: the engine that answers a request, and the sampler that has requests answered."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from torch import Tensor

from rl.rollouts.types import RolloutRequest, Sample
from rl.routing.route import Route

PROBED = 8
"""Tokens at the end of the probe text whose log-probs learner and workers compare."""


@runtime_checkable
class Engine(Protocol):
    """Samples completions from a policy."""

    def sample(self, request: RolloutRequest) -> list[Sample]:
        """Return one sample a row, groups in order, each group's samples in order."""
        ...


@runtime_checkable
class WorkerEngine(Engine, Protocol):
    """An engine with a model of its own, whose adapter is replaced from outside."""

    def load_adapter(self, payload: bytes) -> tuple[str, ...]:
        """Activate a serialized adapter; return the names of tensors that did not fit."""
        ...

    def active_tensors(self) -> dict[str, Tensor]:
        """Return the tensors that are active now, by name."""
        ...

    def token_logprobs(self, token_ids: tuple[int, ...]) -> list[float]:
        """Return, for each adapter, the log-probs at temperature 1 of a text's last PROBED tokens, or of all but the
        first."""
        ...

    def inert_adapters(self, token_ids: tuple[int, ...]) -> tuple[str, ...]:
        """Return the adapters that are not zero, and yet change none of those log-probs."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class SampledRequest:
    """A request that was answered, one sample a row."""

    samples: list[Sample]
    worker: str
    seconds: float
    digest: str = ""
    """Digest of the adapter that was active; empty where it was the learner's live model."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DroppedRequest:
    """A request that no worker could answer."""

    reason: str


Outcome = SampledRequest | DroppedRequest


@runtime_checkable
class RequestObserver(Protocol):
    """Is notified of what happens to requests, and describes them in messages."""

    def reissued(self, request: RolloutRequest, cause: str) -> None: ...

    def describe(self, request: RolloutRequest) -> str:
        """Return the request's groups with their step and problem ids."""
        ...


@runtime_checkable
class Sampler(Protocol):
    """Has requests answered, in this process or by workers."""

    def route_by(self, route: Route) -> None:
        """Make the learner's engine gate each prompt's adapters by the route."""
        ...

    def publish(self, version: int) -> dict[str, float]:
        """Offer the learner's present weights as `version`; return metrics to log."""
        ...

    def submit(self, requests: Sequence[RolloutRequest]) -> None: ...

    def collect(self, requests: Sequence[RolloutRequest]) -> list[Outcome]:
        """Wait for submitted requests; return their outcomes in order."""
        ...

    def pop_metrics(self) -> dict[str, float]:
        """Return the metrics gathered since the last call."""
        ...

    def finished(self) -> dict[RolloutRequest, Outcome]:
        """Return the requests that are done and not collected yet."""
        ...

    def close(self) -> None: ...
