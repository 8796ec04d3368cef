"""Weight sync: proof, by fingerprints, that a worker samples with the very adapter that the learner published."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from rl.common.errors import RunFailure

PROBE_TEXT = "Name three fruits, in lower case and without commas. " * 16
"""The text whose log-probs learner and workers compare after each publish. Any would do, but it must never change, and
be longer than a block of vLLM's cache of prompts: a stale one would not show."""
UNCACHED_PROBE_TOKENS = 32
"""Of that text, where an engine keeps nothing of a prompt: the whole text took a tenth of a quickstart step."""
NOTICEABLE = 0.1
"""Share of the tolerance from which a gap is not taken for rounding where the worker's adapter changes nothing."""


@dataclass(frozen=True, kw_only=True, slots=True)
class WeightFingerprint:
    """Digests of the adapter that one process has active, and its log-probs of the probe text.

    Example:
        WeightFingerprint(owner="worker-1", version=3, tensors={"q_proj.lora_A": "9f86d081"}, logprobs=(-3.1, -0.2),
                          zeros=(), missing=())
    """

    owner: str
    version: int
    tensors: dict[str, str]
    """SHA-256 of each active tensor, type and shape included."""
    logprobs: tuple[float, ...]
    """For each adapter, log-probs of the probe text's last tokens."""
    zeros: tuple[str, ...]
    """Active tensors that are all zero."""
    missing: tuple[str, ...]
    """Tensors that exist on one side only, or with another shape."""
    inert: tuple[str, ...] = ()
    """Adapters that are not zero, and yet change none of the log-probs."""

    @property
    def digest(self) -> str:
        """One SHA-256 over all tensors."""
        lines = "".join(f"{name} {self.tensors[name]}\n" for name in sorted(self.tensors))
        return hashlib.sha256(lines.encode()).hexdigest()


def weight_fingerprint(
    state: Mapping[str, Tensor],
    logprobs: Sequence[float],
    *,
    owner: str,
    version: int,
    missing: tuple[str, ...] = (),
    inert: tuple[str, ...] = (),
) -> WeightFingerprint:
    return WeightFingerprint(
        owner=owner,
        version=version,
        tensors={name: _digest(tensor) for name, tensor in state.items()},
        logprobs=tuple(logprobs),
        zeros=tuple(sorted(name for name, tensor in state.items() if not tensor.any())),
        missing=missing,
        inert=inert,
    )


def _digest(tensor: Tensor) -> str:
    digest = hashlib.sha256(f"{tensor.dtype} {tuple(tensor.shape)}\n".encode())
    digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


@dataclass(frozen=True, kw_only=True, slots=True)
class ProbeGap:
    """How far two processes' log-probs of the probe text are apart, in nats; NaN if any is NaN.

    Example:
        ProbeGap(mean=0.05, quantile=0.1, largest=0.125)
    """

    mean: float = 0.0
    quantile: float = 0.0
    """The 0.9 quantile."""
    largest: float = 0.0

    def worst(self, other: "ProbeGap") -> "ProbeGap":
        """Return the larger of both in each measure."""
        return ProbeGap(
            mean=max(self.mean, other.mean),
            quantile=max(self.quantile, other.quantile),
            largest=max(self.largest, other.largest),
        )


@dataclass(frozen=True, slots=True)
class Tolerance:
    """What a probe gap may be, in nats.

    In float32 the largest difference is bounded. Rounding to bfloat16 leaves errors of which one can be far above the
    others, so there the mean is, and the 0.9 quantile by twice that, as it would be of normal errors (2.06).
    """

    nats: float
    rounded: bool = False
    """Whether the models compute in bfloat16."""

    def allows(self, gap: ProbeGap) -> bool:
        """Whether a gap is small enough; one with NaN never is."""
        if self.rounded:
            return gap.mean <= self.nats and gap.quantile <= 2 * self.nats
        return gap.largest <= self.nats


def probe_gap(learner: WeightFingerprint, worker: WeightFingerprint) -> ProbeGap:
    """Return how far both sides' log-probs of the probe text are apart."""
    return logprob_gap(learner.logprobs, worker.logprobs)


def logprob_gap(ours: Sequence[float], theirs: Sequence[float]) -> ProbeGap:
    """Return how far two lists of log-probs of the same tokens are apart."""
    gap = (torch.tensor(ours, dtype=torch.float64) - torch.tensor(theirs, dtype=torch.float64)).abs()
    return ProbeGap(mean=gap.mean().item(), quantile=gap.quantile(0.9).item(), largest=gap.max().item())


def check_fingerprint(
    learner: WeightFingerprint, worker: WeightFingerprint, *, previous: WeightFingerprint | None, tolerance: Tolerance
) -> None:
    """Raise RunFailure unless the worker has what the learner published.

    `previous` is the learner's fingerprint of the version before, if there was one.
    """
    where = f"{worker.owner}, policy version {learner.version}"
    if worker.version != learner.version:
        raise RunFailure(f"{where}: the worker sampled with version {worker.version}")
    if worker.missing:
        raise RunFailure(f"{where}: {_abbreviated(worker.missing)} did not reach the worker")
    if zeroed := sorted(set(worker.zeros) - set(learner.zeros)):
        raise RunFailure(f"{where}: {_abbreviated(zeroed)} is all zero at the worker, but not at the learner")
    if worker.digest != learner.digest:
        differing = sorted(name for name, digest in learner.tensors.items() if worker.tensors.get(name) != digest)
        stale = previous is not None and worker.digest == previous.digest
        state = f"still as in version {previous.version}" if previous and stale else "not what was published"
        raise RunFailure(f"{where}: {_abbreviated(differing)} is {state}")
    gap = probe_gap(learner, worker)
    if worker.inert and gap.largest > NOTICEABLE * tolerance.nats:
        raise RunFailure(f"{where}: adapter {_abbreviated(worker.inert)} was loaded, but the worker samples without it")
    if not tolerance.allows(gap):
        raise RunFailure(
            f"{where}: the probe text's log-probs differ by {gap.largest:.2g} at most, {gap.mean:.2g} in the mean and "
            f"{gap.quantile:.2g} at the 0.9 quantile (rollouts.tolerance={tolerance.nats:.2g}) although the tensors "
            "are equal: the base models, their types or their kernels differ, or what the worker cached of an earlier "
            "version"
        )


def _abbreviated(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} (with {len(names) - 1} more)"
