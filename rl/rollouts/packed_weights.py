"""Packed weights: frozen layers in oneDNN's own layout, by which a CPU multiplies the few rows of decoding faster."""

import platform
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TypeGuard
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from rl.rollouts.replaced_forwards import Forward, replaced_forwards

X86 = ("x86_64", "AMD64")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Packed:
    """A layer computed from the second copy of its weight."""

    weight: Tensor
    state: tuple[int, int]
    """Address and version of the weight when it was copied."""
    forward: Forward


_packed: WeakKeyDictionary[nn.Linear, _Packed] = WeakKeyDictionary()
"""Every layer that has been packed, for all engines that sample from its model."""


def packed_weights(model: nn.Module) -> AbstractContextManager[None]:
    """Compute a model's frozen linear layers on a CPU from second copies of their weights, without gradients."""
    return replaced_forwards(model, _packed_forward)


def can_multiply(dtype: torch.dtype) -> bool:
    """Return whether this CPU has the packed product of a number format; it is known on x86 alone."""
    if platform.machine() not in X86 or not torch.backends.mkldnn.is_available():
        return False
    return dtype == torch.float32 or (dtype == torch.bfloat16 and torch.ops.mkldnn._is_mkldnn_bf16_supported())


def _can_pack(layer: nn.Module) -> TypeGuard[nn.Linear]:
    """Whether a layer is a plain one, whose whole weight is here and is not trained."""
    if type(layer) is not nn.Linear:
        return False
    weight = layer.weight
    is_whole = not hasattr(weight, "ds_id")  # ZeRO-3 leaves each rank a part
    return is_whole and weight.device.type == "cpu" and not weight.requires_grad and can_multiply(weight.dtype)


def _packed_forward(layer: nn.Module) -> Forward | None:
    """Return what computes a layer, made anew if its weight has changed since; None for one that is not packed."""
    if not _can_pack(layer):
        return None
    weight, known = layer.weight, _packed.get(layer)
    state = weight.data_ptr(), weight._version
    if known is None or known.weight is not weight or known.state != state:
        known = _Packed(weight=weight, state=state, forward=_pack(weight.detach(), layer.bias))
        _packed[layer] = known
    return known.forward


def _pack(weight: Tensor, bias: Tensor | None) -> Forward:
    """Return the product with a weight, by the operators to which torch's own compiler turns frozen layers on a CPU."""
    packed, dtype = torch.ops.mkldnn._reorder_linear_weight(weight), weight.dtype

    def forward(inputs: Tensor) -> Tensor:
        return torch.ops.mkldnn._linear_pointwise(inputs.to(dtype), packed, bias, "none", [], "")

    return forward
