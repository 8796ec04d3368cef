"""Finite tensors: an adapter with a NaN or an infinity is refused by the name of its file and of the tensor."""

from collections.abc import Mapping
from pathlib import Path

from safetensors.torch import load_file
from torch import Tensor

from rl.common.errors import UserError


def not_finite(tensors: Mapping[str, Tensor]) -> str | None:
    """Return the name of the first tensor that holds a NaN or an infinity, or None."""
    return next((name for name, tensor in tensors.items() if not tensor.isfinite().all()), None)


def load_finite(path: Path) -> dict[str, Tensor]:
    """Load a file of tensors. Raises UserError for one that is not finite; SafetensorError for a damaged file."""
    tensors = load_file(path)
    if (name := not_finite(tensors)) is not None:
        raise UserError(
            f"{path}: tensor {name} holds values that are not finite: the training that wrote it diverged; "
            "take an earlier checkpoint"
        )
    return tensors
