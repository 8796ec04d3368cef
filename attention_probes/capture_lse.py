"""Log-sum-exp capture: runs an attention function unchanged and keeps the row normalisers of its kernel."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

aten = torch.ops.aten
# Each returns (output, log-sum-exp, ...). The CPU's is exact, for bfloat16 inputs too.
FUSED_KERNELS = frozenset(
    {
        aten._scaled_dot_product_flash_attention_for_cpu.default,
        aten._scaled_dot_product_flash_attention.default,
        aten._scaled_dot_product_efficient_attention.default,
        aten._scaled_dot_product_cudnn_attention.default,
    }
)


class LogSumExpCapture(TorchDispatchMode):
    """While active, remembers the log-sum-exp of the last fused attention kernel; changes nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.lse: Tensor | None = None

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if func in FUSED_KERNELS:
            self.lse = result[1]
        return result


def call_with_lse(
    attention: Callable[..., Any], module: nn.Module, query: Tensor, *args: Any, **kwargs: Any
) -> tuple[Any, Tensor | None]:
    """Return `attention(module, query, ...)` and the (B, H, S) log-sum-exp of its rows, or None if there is none."""
    with LogSumExpCapture() as capture:
        result = attention(module, query, *args, **kwargs)
    if capture.lse is None:
        return result, None
    # CUDA's efficient kernel pads the rows, and computes none at all where no gradient is needed.
    lse = capture.lse[..., : query.shape[2]]
    return result, lse if lse.shape == query.shape[:3] else None
