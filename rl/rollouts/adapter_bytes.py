"""Adapter bytes: a live adapter as the bytes that travel to a worker, and back into a live model."""

from collections.abc import Mapping

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from rl.common.errors import RunFailure
from rl.routing.route import ROUTER


def adapter_state(model: nn.Module) -> dict[str, Tensor]:
    """Return the tensors that make the policy differ from its base: every LoRA weight, and the router's if any."""
    return {name: tensor for name, tensor in model.state_dict().items() if "lora_" in name or ROUTER in name}


def serialize_adapter(state: Mapping[str, Tensor]) -> bytes:
    return save({name: tensor.detach().cpu().contiguous() for name, tensor in state.items()})


def deserialize_adapter(payload: bytes, model: nn.Module) -> tuple[str, ...]:
    """Copy a serialized adapter into a live model; return the names that do not match, which are left as they were.

    Raises RunFailure when the bytes are no adapter.
    """
    try:
        sent = load(payload)
    except SafetensorError as error:
        raise RunFailure(f"the adapter was damaged on its way: {error}") from error
    active = adapter_state(model)
    matching = {name for name in sent.keys() & active.keys() if sent[name].shape == active[name].shape}
    with torch.no_grad():
        for name in matching:
            active[name].copy_(sent[name])
    return tuple(sorted((sent.keys() | active.keys()) - matching))
