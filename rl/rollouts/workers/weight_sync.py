"""Attestation: proof that a worker samples from the very adapter the learner published."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from rl.common.errors import RunFailure
from rl.routing.route import ROUTER

PROBE_TEXT = "Name three fruits, in lower case and without commas."
"""What learner and workers score after each publish; any text would do, but it must never change."""


@dataclass(frozen=True, kw_only=True, slots=True)
class WeightFingerprint:
    """What one process has really active.

    Example:
        Attestation(owner="worker-1", version=3, tensors={"q_proj.lora_A": "9f86d081"}, logprobs=(-3.1, -0.2), zeros=(),
                    missing=())
    """

    owner: str
    version: int
    tensors: dict[str, str]
    """SHA-256 of each active tensor, type and shape included."""
    logprobs: tuple[float, ...]
    """Of the probe prompt's tokens after the first."""
    zeros: tuple[str, ...]
    """Active tensors that are all zero."""
    missing: tuple[str, ...]
    """Tensors that exist on one side only, or with another shape."""

    @property
    def digest(self) -> str:
        """One SHA-256 over all tensors."""
        lines = "".join(f"{name} {self.tensors[name]}\n" for name in sorted(self.tensors))
        return hashlib.sha256(lines.encode()).hexdigest()


def adapter_state(model: nn.Module) -> dict[str, Tensor]:
    """The tensors that make the policy differ from its base: every LoRA weight, and the router's if there is one."""
    return {name: tensor for name, tensor in model.state_dict().items() if "lora_" in name or ROUTER in name}


def serialize_adapter(state: Mapping[str, Tensor]) -> bytes:
    """The adapter as the bytes that travel."""
    return save({name: tensor.detach().cpu().contiguous() for name, tensor in state.items()})


def deserialize_adapter(payload: bytes, model: nn.Module) -> tuple[str, ...]:
    """Put a packed adapter into a live model, in place; return the names that do not match, touching none of those.

    Raises RunFailure when the bytes are no adapter.
    """
    try:
        sent = load(payload)
    except SafetensorError as error:
        raise RunFailure(f"the adapter was damaged on its way: {error}") from error
    active = adapter_state(model)
    fits = {name for name in sent.keys() & active.keys() if sent[name].shape == active[name].shape}
    with torch.no_grad():
        for name in fits:
            active[name].copy_(sent[name])
    return tuple(sorted((sent.keys() | active.keys()) - fits))


def weight_fingerprint(
    state: Mapping[str, Tensor],
    logprobs: Sequence[float],
    *,
    owner: str,
    version: int,
    missing: tuple[str, ...] = (),
) -> WeightFingerprint:
    return WeightFingerprint(
        owner=owner,
        version=version,
        tensors={name: _digest(tensor) for name, tensor in state.items()},
        logprobs=tuple(logprobs),
        zeros=tuple(sorted(name for name, tensor in state.items() if not tensor.any())),
        missing=missing,
    )


def _digest(tensor: Tensor) -> str:
    found = hashlib.sha256(f"{tensor.dtype} {tuple(tensor.shape)}\n".encode())
    found.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return found.hexdigest()


def probe_gap(learner: WeightFingerprint, worker: WeightFingerprint) -> float:
    """Largest difference between both sides' log-probs of the probe prompt; NaN if any is."""
    here, there = torch.tensor([learner.logprobs, worker.logprobs], dtype=torch.float64)
    return (here - there).abs().max().item()


def check(
    learner: WeightFingerprint, worker: WeightFingerprint, *, before: WeightFingerprint | None, tolerance: float
) -> None:
    """Raise RunFailure unless the worker has what the learner published.

    `before` is the learner's attestation of the version before this one, if there was one.
    """
    where = f"{worker.owner}, policy version {learner.version}"
    if worker.version != learner.version:
        raise RunFailure(f"{where}: the worker sampled with version {worker.version}")
    if worker.missing:
        raise RunFailure(f"{where}: {_some(worker.missing)} did not reach the worker")
    if delivered := sorted(set(worker.zeros) - set(learner.zeros)):
        raise RunFailure(f"{where}: {_some(delivered)} is all zero at the worker, but not at the learner")
    if worker.digest != learner.digest:
        differ = sorted(name for name, found in learner.tensors.items() if worker.tensors.get(name) != found)
        stale = before is not None and worker.digest == before.digest
        state = f"still as in version {before.version}" if before and stale else "not what was published"
        raise RunFailure(f"{where}: {_some(differ)} is {state}")
    gap = probe_gap(learner, worker)
    if not gap <= tolerance:  # NaN is no proof either
        raise RunFailure(
            f"{where}: the probe prompt's log-probs differ by {gap:.2g} (rollouts.tolerance={tolerance:.2g}) although "
            "the tensors are equal: the base models, their types or their kernels differ"
        )


def _some(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} (with {len(names) - 1} more)"
