"""Torch threads: their number in a block of code, and how a machine's cores are shared among them."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def torch_threads(number: int | None) -> Iterator[None]:
    """Set the number of threads for the block; None keeps it. It decides the order of sums, and so their last bits."""
    before = torch.get_num_threads()
    if number is not None:
        torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def available_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def thread_use(cores: int, *, learning: int, workers: int, sampling: int, overlap: bool) -> str:
    """Return a sentence on who computes with how many threads of a machine's cores, and whether those suffice.

    `learning` threads are those of all ranks here, which sample too if there are no workers; each of the `workers` has
    `sampling` of its own. With `overlap` they sample while the ranks learn, else by turns.
    """
    samplers = f"{workers} rollout workers with {sampling} each" if workers else "sampling with as many"
    told = f"Threads on {cores} cores: learning with {learning}, {samplers}, {'at once' if overlap else 'by turns'}"
    needed = workers * sampling + learning * (overlap or not workers)
    if needed > cores:
        return f"{told}; {needed} threads compete for them (rollouts.threads, OMP_NUM_THREADS)"
    if needed < cores:
        knobs = "rollouts.workers, rollouts.threads" if workers else "OMP_NUM_THREADS"
        return f"{told}; {cores - needed} idle while sampling ({knobs})"
    return told
