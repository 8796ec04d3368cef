"""Device: the GPU, if any, on which this process computes, and whether the machine's suffice for its ranks."""

import os

import torch

from rl.common.errors import UserError


def process_device() -> torch.device:
    """Return the device of everything that this process loads: its local rank's GPU, the first without ranks, or CPU.

    A rollout worker sees its own GPU only (`rl/rollouts/workers/placement.py`), so the first one is right for it, too.
    """
    if not torch.cuda.is_available():
        return torch.device("cpu")
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))


def visible_gpus() -> int:
    """Return how many GPUs this process could use; CUDA_VISIBLE_DEVICES may hide some."""
    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def local_ranks() -> int:
    """Return how many ranks this machine has."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", "1"))


def check_gpus(ranks: int, gpus: int) -> None:
    """Raise UserError when a machine's ranks outnumber its GPUs, which NCCL refuses; without any they use the CPU."""
    if gpus and ranks > gpus:
        raise UserError(
            f"distributed.processes puts {ranks} ranks on this machine, each of which needs a GPU, and {gpus} can be "
            f"seen; set processes to {gpus} a machine, or CUDA_VISIBLE_DEVICES= to train on CPUs"
        )


def idle_gpus(ranks: int, gpus: int, workers: int) -> str | None:
    """Return a sentence for a machine of which GPUs stay without a rank; None for any other."""
    if gpus <= ranks:
        return None
    hint = "" if workers else f"; distributed.processes={gpus} would train on all"
    return f"Training on {ranks} of the {gpus} GPUs that can be seen here{hint}"
