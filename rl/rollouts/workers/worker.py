"""Worker: an engine with a model of its own, which samples with the adapter version that a request asks for."""

import time
from dataclasses import dataclass

from rl.common.errors import RunFailure
from rl.rollouts.interfaces import WorkerEngine
from rl.rollouts.types import RolloutRequest, Sample
from rl.rollouts.workers.weight_sync import WeightFingerprint, weight_fingerprint


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """A request's samples, with the fingerprint of the weights that they were sampled with."""

    samples: list[Sample]
    fingerprint: WeightFingerprint
    seconds: float
    """Time spent sampling."""


class Worker:
    """An engine that loads its base model once; later only adapters are replaced."""

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
        """Activate an adapter version; return the fingerprint of what is active afterwards."""
        try:
            missing = self.engine.load_adapter(payload)
        except RunFailure as error:
            raise RunFailure(f"{self.name}, policy version {version}: {error}") from error
        logprobs = self.engine.token_logprobs(self.probe_ids)
        self.fingerprint = weight_fingerprint(
            self.engine.active_tensors(),
            logprobs,
            owner=self.name,
            version=version,
            missing=missing,
            inert=self.engine.inert_adapters(self.probe_ids),
        )
        return self.fingerprint

    def sample(self, request: RolloutRequest) -> Reply:
        """Answer a request. Raises RunFailure when another version than the request's is active."""
        if self.fingerprint is None or self.version != request.version:
            raise RunFailure(f"{self.name}: version {self.version} is active, version {request.version} was requested")
        start = time.perf_counter()
        samples = self.engine.sample(request)
        return Reply(samples=samples, fingerprint=self.fingerprint, seconds=time.perf_counter() - start)
