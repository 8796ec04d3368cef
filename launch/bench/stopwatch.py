"""The stopwatch for benchmarks that run in this process."""

import time
from collections.abc import Callable

import torch


def seconds_of(run: Callable[[], None]) -> float:
    """Return this process's CPU time, which other work on the machine disturbs least; on CUDA wall-clock time."""
    if not torch.cuda.is_available():
        start = time.process_time()
        run()
        return time.process_time() - start
    torch.cuda.synchronize()
    start = time.perf_counter()
    run()
    torch.cuda.synchronize()
    return time.perf_counter() - start
