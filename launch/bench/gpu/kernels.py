"""Attention kernels: by name, seen when they are called, and what it means when one does not take a call."""

from typing import Any

from torch.nn.attention import SDPBackend
from torch.utils._python_dispatch import TorchDispatchMode

from attention_probes.capture_lse import FUSED_KERNELS
from launch.bench.gpu.stage import Row

KERNELS = {
    "flash": SDPBackend.FLASH_ATTENTION,
    "efficient": SDPBackend.EFFICIENT_ATTENTION,
    "cudnn": SDPBackend.CUDNN_ATTENTION,
    "math": SDPBackend.MATH,
}
CUDNN_FIRST = [SDPBackend.CUDNN_ATTENTION, *(kernel for name, kernel in KERNELS.items() if name != "cudnn")]
"""As torch prefers them on Hopper and Blackwell, where nobody tells it otherwise."""
REFUSALS = ("No available kernel", "No viable backend")
"""How torch's error begins, on CUDA and on the CPU, when the only allowed kernel does not take a call."""


class CalledKernels(TorchDispatchMode):
    """Remembers which attention kernels are called while it is active."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        if func in FUSED_KERNELS:
            self.names.add(name.removeprefix("_scaled_dot_product_").replace("_attention", ""))
        elif "softmax" in name:
            self.names.add("math")
        return func(*args, **(kwargs or {}))

    def __str__(self) -> str:
        return ", ".join(sorted(self.names))


def refusal(kernel: str, error: RuntimeError) -> Row:
    """Return that a kernel does not take a call, which is well, or that it fails at it, which is a finding."""
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
    if reason.startswith(REFUSALS):
        return {"refused": True}
    return {"finding": f"{kernel} attention fails: {reason}"}
