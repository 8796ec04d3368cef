"""Adapter bytes: a live adapter as the bytes that travel to a worker, and back into a live model."""

from collections.abc import Mapping

import torch
from peft import PeftModel, get_peft_model
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn
from transformers import PreTrainedModel

from rl.common.errors import RunFailure
from rl.config.model import AdapterConfig
from rl.config.routing import RoutingConfig
from rl.models.lora import lora_config
from rl.routing.route import ROUTER, add_adapters


def adapter_state(model: nn.Module) -> dict[str, Tensor]:
    """Return the tensors that make the policy differ from its base: every LoRA weight, and the router's if any."""
    return {name: tensor for name, tensor in model.state_dict().items() if "lora_" in name or ROUTER in name}


def host_adapter(model: nn.Module) -> dict[str, Tensor]:
    """Return copies of `adapter_state` in the host's memory and in float32, fetched from the device in one transfer.

    DeepSpeed trains adapters in bfloat16, whose every value float32 holds exactly, so both sides compare the same type.
    """
    state = adapter_state(model)
    flat = torch.cat([tensor.detach().flatten().float() for tensor in state.values()]).cpu()
    parts = flat.split([tensor.numel() for tensor in state.values()])
    return {name: part.view(tensor.shape) for (name, tensor), part in zip(state.items(), parts, strict=True)}


def planned_adapter(model: PreTrainedModel, lora: AdapterConfig, routing: RoutingConfig) -> dict[str, Tensor]:
    """Return the tensors, without values (on torch's meta device), of the adapters that a base model is to get."""
    with torch.random.fork_rng(devices=[]), torch.device("meta"):
        policy = get_peft_model(type(model)(model.config), lora_config(lora))
        assert isinstance(policy, PeftModel)
        if routing.adapters:
            add_adapters(policy, lora, routing)
    return adapter_state(policy.get_base_model())


def adapter_size(model: PreTrainedModel, lora: AdapterConfig, routing: RoutingConfig) -> int:
    """Return the bytes that `serialize_adapter` will make of the adapters that a base model is to get."""
    return sum(4 * tensor.numel() for tensor in planned_adapter(model, lora, routing).values())


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
