"""Peak memory of a part of a program: of the GPU, or else of this process."""

import ctypes
from pathlib import Path

import torch

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
RESET_PEAK = "5"
"""Written to `clear_refs`, it makes the kernel count the largest resident set anew (proc(5))."""


class PeakMemory:
    """Measures how many bytes more than at `start` were held at most until `peak`."""

    def start(self) -> None:
        """Forget earlier peaks, and count from what is held now."""
        if not torch.cuda.is_available():
            _return_freed_memory()
        self._before = torch.cuda.memory_allocated() if torch.cuda.is_available() else _kilobytes("VmRSS") * 1024
        self.reset()

    def reset(self) -> None:
        """Forget earlier peaks."""
        if torch.cuda.is_available():
            torch.cuda.reset_peak_memory_stats()
        else:
            CLEAR.write_text(RESET_PEAK)

    def peak(self) -> int:
        """Return the bytes."""
        held = torch.cuda.max_memory_allocated() if torch.cuda.is_available() else _kilobytes("VmHWM") * 1024
        return held - self._before


def _kilobytes(field: str) -> int:
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith(f"{field}:"))
    return int(line.split()[1])


def _return_freed_memory() -> None:
    """Make glibc return what has been freed to the system; it would pass for held memory, and take the next blocks."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
