"""A worker: an engine of its own that samples units with whatever adapter the learner published last."""

import time
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from rl.common.errors import RunFailure
from rl.rollouts.types import RolloutRequest, Sample
from rl.rollouts.workers.weight_sync import WeightFingerprint, weight_fingerprint


@runtime_checkable
class WorkerEngine(Protocol):
    """An engine whose adapter can be changed from outside."""

    def load_adapter(self, payload: bytes) -> tuple[str, ...]:
        """Make the packed adapter the active one; return the tensors that did not fit."""
        ...

    def active(self) -> dict:
        """The tensors that are really active, by name."""
        ...

    def token_logprobs(self, token_ids: tuple[int, ...]) -> list[float]:
        """Log-probs of a text's tokens after the first."""
        ...

    def sample(self, unit: RolloutRequest) -> list[Sample]: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """A unit's samples, and proof of the policy that they came from."""

    samples: list[Sample]
    fingerprint: WeightFingerprint
    seconds: float
    """Spent sampling."""


class Worker:
    """Keeps the base model loaded; only adapters come and go."""

    def __init__(self, engine: WorkerEngine, *, name: str, probe_ids: tuple[int, ...]):
        self.engine = engine
        self.name = name
        self.probe_ids = probe_ids
        self.fingerprint: WeightFingerprint | None = None

    @property
    def version(self) -> int | None:
        """The adapter version that is active; None before the first."""
        return None if self.fingerprint is None else self.fingerprint.version

    def load_adapter(self, version: int, payload: bytes) -> WeightFingerprint:
        """Activate a version and attest what is active afterwards."""
        try:
            missing = self.engine.load_adapter(payload)
        except RunFailure as error:
            raise RunFailure(f"{self.name}, policy version {version}: {error}") from error
        logprobs = self.engine.token_logprobs(self.probe_ids)
        self.fingerprint = weight_fingerprint(
            self.engine.active(), logprobs, owner=self.name, version=version, missing=missing
        )
        return self.fingerprint

    def sample(self, unit: RolloutRequest) -> Reply:
        """Raises RunFailure when another version than the unit's is active."""
        if self.fingerprint is None or self.version != unit.version:
            raise RunFailure(f"{self.name}: version {self.version} is active, version {unit.version} was asked for")
        start = time.perf_counter()
        samples = self.engine.sample(unit)
        return Reply(samples=samples, fingerprint=self.fingerprint, seconds=time.perf_counter() - start)
