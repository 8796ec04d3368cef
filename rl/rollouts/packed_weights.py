"""Packed weights: frozen layers in oneDNN's own layout, by which a CPU multiplies the few rows of decoding faster."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeGuard
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

DTYPES = (torch.float32, torch.bfloat16)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Packed:
    """A layer computed from the second copy of its weight, and of which weight that is one."""

    state: tuple[int, int]
    forward: Callable[[Tensor], Tensor]


_packed: WeakKeyDictionary[nn.Linear, _Packed] = WeakKeyDictionary()
"""Every layer that has been packed, for all engines that sample from its model."""


@contextmanager
def packed_weights(model: nn.Module) -> Iterator[None]:
    """Compute a model's frozen linear layers on a CPU from second copies of their weights, without gradients."""
    layers: list[Any] = [layer for layer in model.modules() if _can_pack(layer)]
    for layer in layers:
        layer.forward = _packed_forward(layer)
    try:
        yield
    finally:
        for layer in layers:
            del layer.forward


def _can_pack(layer: nn.Module) -> TypeGuard[nn.Linear]:
    """Whether a layer is a plain one, whose whole weight is here and is not trained."""
    if type(layer) is not nn.Linear or "forward" in vars(layer) or not torch.backends.mkldnn.is_available():
        return False
    weight = layer.weight
    is_whole = not hasattr(weight, "ds_id")  # ZeRO-3 leaves each rank a part
    return is_whole and weight.device.type == "cpu" and weight.dtype in DTYPES and not weight.requires_grad


def _packed_forward(layer: nn.Linear) -> Callable[[Tensor], Tensor]:
    """Return what computes a layer, made anew if its weight has changed since."""
    state = layer.weight.data_ptr(), layer.weight._version
    if layer not in _packed or _packed[layer].state != state:
        _packed[layer] = _Packed(state=state, forward=_pack(layer.weight.detach(), layer.bias))
    return _packed[layer].forward


def _pack(weight: Tensor, bias: Tensor | None) -> Callable[[Tensor], Tensor]:
    """Return the product with a weight, by the operators to which torch's own compiler turns frozen layers on a CPU."""
    packed, dtype = torch.ops.mkldnn._reorder_linear_weight(weight), weight.dtype

    def forward(inputs: Tensor) -> Tensor:
        return torch.ops.mkldnn._linear_pointwise(inputs.to(dtype), packed, bias, "none", [], "")

    return forward
