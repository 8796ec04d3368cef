"""The stopwatch for benchmarks that run in this process."""

import time
from collections.abc import Callable

import torch


def seconds_of(run: Callable[[], None]) -> float:
    """Return how many seconds of computing `run` takes."""
    start = seconds_computed()
    run()
    return seconds_computed() - start


def seconds_computed() -> float:
    """Return this process's CPU time, which other work on the machine disturbs least; on CUDA wall-clock time."""
    if not torch.cuda.is_available():
        return time.process_time()
    torch.cuda.synchronize()
    return time.perf_counter()
