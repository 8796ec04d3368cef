"""Fused LoRA: PEFT's layers with fewer calls while decoding, where they take as long as the products; the same bits."""

from contextlib import AbstractContextManager
from typing import Any

from peft.tuners.lora.layer import Linear
from torch import Tensor, nn
from torch.nn.functional import linear

from rl.rollouts.replaced_forwards import Forward, replaced_forwards


def fused_lora(model: nn.Module) -> AbstractContextManager[None]:
    """Compute a model's plain LoRA layers at once, with the adapters that are active now and without dropout."""
    return replaced_forwards(model, _forward)


def _is_plain(layer: nn.Module) -> bool:
    """Whether a layer adds scaling * B(A(x)) for each adapter and does no more: no DoRA, bias, dropout or shards."""
    if type(layer) is not Linear or layer.training or layer.merged or layer.lora_variant:
        return False
    parts: list[Any] = [*layer.lora_A.values(), *layer.lora_B.values()]
    return all(type(part) is nn.Linear and part.bias is None and not hasattr(part.weight, "ds_id") for part in parts)


def _forward(layer: Any) -> Forward | None:
    if not _is_plain(layer):
        return None
    base = layer.base_layer
    adapters = [
        (layer.lora_A[name].weight, layer.lora_B[name].weight, layer.scaling[name])
        for name in layer.active_adapters
        if name in layer.lora_A
    ]

    def forward(inputs: Tensor) -> Tensor:
        result = output = base(inputs)
        if layer.disable_adapters:
            return output
        for down, up, scaling in adapters:
            inputs = inputs.to(down.dtype)
            result = result + linear(linear(inputs, down), up) * scaling
        return result.to(output.dtype)

    return forward
