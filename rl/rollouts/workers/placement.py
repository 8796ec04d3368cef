"""Placement: where workers compute: on which GPU, where no Ray that knows of ranks decides, and with which threads."""

import os

import torch

from rl.common.device import local_ranks, visible_gpus
from rl.common.errors import UserError
from rl.common.threads import available_cores, thread_use
from rl.config.distributed import RANK_SHARE
from rl.config.root import Config

ROUNDING = 1e-9


def place_workers(config: Config) -> tuple[str, ...]:
    """Return the GPU of each of this rank's workers by its name in CUDA_VISIBLE_DEVICES; none on CPUs.

    Neither where workers run on a cluster, whose Ray reserves `rollouts.gpus` for each. Raises UserError when that is 0
    there, and when a Ray of the run's own would have to put more on this machine's GPUs than they hold.
    """
    settings, gpus = config.rollouts, visible_gpus()
    if config.has_own_ray:
        workers, rank = config.workers_per_rank, int(os.environ.get("LOCAL_RANK", "0"))
        placed = worker_gpus(rank, workers, ranks=local_ranks(), gpus=gpus, share=settings.gpus)
        return tuple(map(cuda_name, placed))
    if settings.workers and gpus and not settings.gpus:
        raise UserError(
            "rollouts.gpus=0 reserves no GPU for the workers of a cluster, so that all would take the first of their "
            "node; set rollouts.gpus=1, or 0.4 and distributed.gpus=0.6 to let ranks and workers share"
        )
    return ()


def describe_threads(config: Config) -> str | None:
    """Return a sentence on the threads of a GRPO run here; None where a GPU computes, or the nodes of a cluster."""
    settings = config.rollouts
    if config.algorithm != "grpo" or visible_gpus() or settings.engine != "transformers":
        return None
    if settings.workers and not config.has_own_ray:
        return None
    threads = torch.get_num_threads()
    return thread_use(
        available_cores(),
        learning=threads * local_ranks(),
        workers=config.workers_per_rank * local_ranks(),
        sampling=settings.threads or threads,
        overlap=settings.max_staleness > 0,
    )


def worker_gpus(rank: int, workers: int, *, ranks: int, gpus: int, share: float) -> tuple[int, ...]:
    """Return the GPU of each of a local rank's workers, on a machine with a rank on each of its first `ranks` GPUs.

    `workers` is the number of each rank's. Each goes where most is free, so first to GPUs without a rank, and then
    beside its own rank. `share` is what each takes of a GPU, 0 if unknown. Raises UserError when they do not fit.
    """
    if not gpus:
        if workers and share:
            raise UserError(f"rollouts.gpus={share:g}, but no GPU can be seen here; set rollouts.gpus=0")
        return ()
    free = [1.0 - RANK_SHARE * (gpu < ranks) for gpu in range(gpus)]
    placed = [0] * gpus
    mine = []
    for worker in range(workers * ranks):
        gpu = max(range(gpus), key=lambda gpu: (round(free[gpu], 6), -placed[gpu], -gpu))
        if share > free[gpu] + ROUNDING:
            raise _no_room(workers * ranks, ranks=ranks, gpus=gpus, share=share)
        free[gpu] -= share
        placed[gpu] += 1
        if worker % ranks == rank:
            mine.append(gpu)
    return tuple(mine)


def _no_room(workers: int, *, ranks: int, gpus: int, share: float) -> UserError:
    whole, half = (int((room + ROUNDING) / share) for room in (1.0, 1.0 - RANK_SHARE))
    room = whole * (gpus - ranks) + half * ranks
    return UserError(
        f"rollouts.gpus={share:g} leaves room for {room} workers on {gpus} GPUs with a rank on {ranks} of them, which "
        f"keeps at least {RANK_SHARE:g} of its GPU, and there are {workers}; lower rollouts.gpus or rollouts.workers"
    )


def cuda_name(gpu: int) -> str:
    """Return the name by which CUDA_VISIBLE_DEVICES shows another process the GPU that is `gpu` in this one."""
    names = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    return names.split(",")[gpu].strip() if names else str(gpu)
