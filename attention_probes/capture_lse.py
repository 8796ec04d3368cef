"""Log-sum-exp capture: runs an attention function unchanged and keeps the row normalisers of its kernel."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

aten = torch.ops.aten
EFFICIENT = aten._scaled_dot_product_efficient_attention.default
# Each returns (output, log-sum-exp, ...). The CPU's is exact, for bfloat16 inputs too.
FUSED_KERNELS = frozenset(
    {
        aten._scaled_dot_product_flash_attention_for_cpu.default,
        aten._scaled_dot_product_flash_attention.default,
        EFFICIENT,
        aten._scaled_dot_product_cudnn_attention.default,
    }
)


class LogSumExpCapture(TorchDispatchMode):
    """While active, remembers the log-sum-exp of the last fused attention kernel; changes nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.lse: Tensor | None = None

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is EFFICIENT:
            args = with_efficient_lse(args)
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
    return result, lse_of_rows(capture.lse, query.shape[:3])


def with_efficient_lse(args: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the arguments of the efficient kernel with `compute_log_sumexp` set, which is off where no gradient is.

    It stores what the kernel has at hand anyway. cuDNN's flag is left alone: there it may choose another kernel.
    """
    return (*args[:4], True, *args[5:])


def lse_of_rows(lse: Tensor | None, shape: torch.Size) -> Tensor | None:
    """Return a kernel's log-sum-exp in the shape (B, H, S), or None if the kernel computed none.

    CUDA's efficient kernel pads S to a multiple of 32, and cuDNN gives (B, H, S, 1).
    """
    if lse is None:
        return None
    rows = (lse.squeeze(3) if lse.dim() == 4 else lse)[..., : shape[2]]
    return rows if rows.shape == shape else None
