"""Device that a plan is compared with: its memory, and whether it multiplies bfloat16; found without torch."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

GIB = 2**30
CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")
BF16_FLAGS = {"avx512_bf16", "amx_bf16"}


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

    @property
    def overhead(self) -> int:
        """Bytes in use before the model is loaded: the libraries and, on a GPU, the CUDA context."""
        return int((1.0 if self.is_gpu else 0.65) * 1e9)


def find_device(gpu_memory_gib: float | None = None) -> Device:
    """Return this machine's first GPU, else its memory; or a GPU of the given size, which need not exist."""
    if gpu_memory_gib is not None:
        return Device(name="a GPU", memory=int(gpu_memory_gib * GIB), is_gpu=True, has_bf16=True)
    if (gpus := nvidia_gpus()) and (name := gpus[0][0]):
        return Device(name=name, memory=gpus[0][1], is_gpu=True, has_bf16=True)
    return Device(name="CPU", memory=machine_memory(), is_gpu=False, has_bf16=cpu_multiplies_bf16())


def nvidia_gpus() -> list[tuple[str, int]]:
    """Return (name, bytes) of each NVIDIA GPU; none where there is no driver."""
    command = ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader,nounits"]
    try:
        outcome = subprocess.run(command, capture_output=True, text=True, timeout=20)
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return []
    rows = [line.rsplit(",", 1) for line in outcome.stdout.splitlines() if outcome.returncode == 0 and "," in line]
    return [(name.strip(), int(mebibytes) * 2**20) for name, mebibytes in rows if mebibytes.strip().isdigit()]


def machine_memory(limit: Path = CGROUP_LIMIT) -> int:
    """Return the bytes of memory that this process may use: the machine's, or its container's if that is less."""
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    allowed = limit.read_text().strip() if limit.is_file() else "max"
    return min(physical, int(allowed)) if allowed.isdigit() else physical


def cpu_multiplies_bf16(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Return whether this CPU multiplies bfloat16; `rl.models.load.cpu_has_bf16` does so by torch."""
    return cpuinfo.is_file() and bool(BF16_FLAGS & set(cpuinfo.read_text().split()))
