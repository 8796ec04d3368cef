"""Device that a plan is compared with: its memory, and whether bfloat16 pays on it; found without torch."""

import os
from dataclasses import dataclass
from pathlib import Path

from launch.plan.nvidia import nvidia_gpus
from rl.common.cpu import cpu_words, gains_by_bf16

GIB = 2**30
CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")


@dataclass(frozen=True, kw_only=True, slots=True)
class Device:
    """One GPU, or all of a machine's memory.

    Example:
        Device(name="NVIDIA H100 80GB HBM3", memory=85_520_809_984, is_gpu=True, has_bf16=True)
    """

    name: str
    memory: int
    """Bytes."""
    is_gpu: bool
    has_bf16: bool
    host_memory: int | None = None
    """Bytes of the machine that holds the GPU; None if it is not known."""

    @property
    def overhead(self) -> int:
        """Bytes in use before the model is loaded: the libraries or, on a GPU, the CUDA context and cuBLAS's space."""
        return int((1.0 if self.is_gpu else 0.65) * 1e9)


def find_device(gpu_memory_gib: float | None = None) -> Device:
    """Return this machine's first GPU, else its memory; or an Ampere or later GPU of the given size, which need not
    exist."""
    if gpu_memory_gib is not None:
        return Device(name="a GPU", memory=int(gpu_memory_gib * GIB), is_gpu=True, has_bf16=True)
    if gpus := nvidia_gpus():
        gpu = gpus[0]
        host = machine_memory()
        return Device(name=gpu.title, memory=gpu.memory, is_gpu=True, has_bf16=gpu.has_bf16, host_memory=host)
    return Device(name="CPU", memory=machine_memory(), is_gpu=False, has_bf16=gains_by_bf16(cpu_words()))


def machine_memory(limit: Path = CGROUP_LIMIT) -> int:
    """Return the bytes of memory that this process may use: the machine's, or its container's if that is less."""
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    allowed = limit.read_text().strip() if limit.is_file() else "max"
    return min(physical, int(allowed)) if allowed.isdigit() else physical
