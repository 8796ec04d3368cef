"""Helper: a model on the meta device, which refuses tensors of any other, and stops at its first forward pass."""

from typing import Any

import torch
from torch import Tensor, nn

from rl.models.load import load_model


class ReachedModel(Exception):
    """The forward pass began, with all its tensors on the model's device."""


def stopping_model(name: str = "tiny") -> Any:
    """Return a model on the meta device that raises ReachedModel once it is called with tensors of that device."""
    model = load_model(name, device="meta")

    def check(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        tensors = {name: value for name, value in kwargs.items() if isinstance(value, Tensor)}
        assert tensors, "the model is called with its tensors by name"
        assert {name: tensor.device.type for name, tensor in tensors.items()} == dict.fromkeys(tensors, "meta")
        raise ReachedModel

    model.register_forward_pre_hook(check, with_kwargs=True)
    model.generate = lambda **kwargs: model(**kwargs)  # sampling itself needs values
    return model


def meta_ids(*shape: int) -> Tensor:
    return torch.zeros(shape, dtype=torch.long, device="meta")
