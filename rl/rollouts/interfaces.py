"""The sampler: one interface, whether units are sampled in this process or by workers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from rl.rollouts.types import RolloutRequest, Sample
from rl.routing.route import Route


@runtime_checkable
class Engine(Protocol):
    """Anything that can sample a unit."""

    def sample(self, unit: RolloutRequest) -> list[Sample]: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Sampled:
    """A unit that was sampled, one sample a row."""

    samples: list[Sample]
    worker: str
    seconds: float
    digest: str = ""
    """Of the adapter that was active; empty where it is the learner's own."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Dropped:
    """A unit that no worker could sample."""

    reason: str


@runtime_checkable
class RequestObserver(Protocol):
    """Whoever wants to know what befell a unit."""

    def reissued(self, unit: RolloutRequest, cause: str) -> None: ...

    def describe(self, unit: RolloutRequest) -> str:
        """The unit as a person would look for it: its step and its problems."""
        ...


@runtime_checkable
class Sampler(Protocol):
    """Where units become samples."""

    def route_by(self, route: Route) -> None:
        """Let the learner's own engine answer each prompt by the adapters that the route says."""
        ...

    def publish(self, version: int) -> dict[str, float]:
        """Make the learner's present weights the version; return what is worth logging."""
        ...

    def submit(self, units: Sequence[RolloutRequest]) -> None: ...

    def collect(self, units: Sequence[RolloutRequest]) -> list[Sampled | Dropped]: ...

    def figures(self) -> dict[str, float]:
        """What is worth logging since the last call."""
        ...

    def finished(self) -> dict[RolloutRequest, Any]:
        """Units that are done and not collected yet."""
        ...

    def close(self) -> None: ...
