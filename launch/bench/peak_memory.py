"""Peak memory of a part of a program: of the GPU, or else of this process."""

from pathlib import Path

import torch

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
RESET_PEAK = "5"
"""Written to `clear_refs`, it makes the kernel count the largest resident set anew (proc(5))."""


class PeakMemory:
    """Measures how many bytes more than at `start` were held at most until `peak`."""

    def start(self) -> None:
        """Forget earlier peaks."""
        if torch.cuda.is_available():
            torch.cuda.reset_peak_memory_stats()
            self._before = torch.cuda.memory_allocated()
        else:
            CLEAR.write_text(RESET_PEAK)
            self._before = _kilobytes("VmRSS") * 1024

    def peak(self) -> int:
        """Return the bytes."""
        held = torch.cuda.max_memory_allocated() if torch.cuda.is_available() else _kilobytes("VmHWM") * 1024
        return held - self._before


def _kilobytes(field: str) -> int:
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith(f"{field}:"))
    return int(line.split()[1])
