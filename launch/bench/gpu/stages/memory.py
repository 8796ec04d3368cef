"""Stage: `heed plan` against what a training takes: the GPU's memory, context and NCCL, and the load's main memory."""

import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import torch
import torch.distributed

from launch.bench.gpu.models import QWEN, random_model, shape_config
from launch.bench.gpu.stage import Row, Setup, Skipped
from launch.bench.gpu.trainings import training_config
from launch.plan.build import make_plan
from launch.plan.device import find_device
from launch.plan.memory import NCCL
from launch.plan.nvidia import nvidia_gpus
from rl.build import trainer_context
from rl.config.root import Config
from rl.datasets import load_problems
from rl.models.load import load_base_model, load_tokenizer, resolve_dtype


def measure(setup: Setup) -> Iterator[Row]:
    """Yield the context's bytes, a load's, a training's beside its plan, and those of a process group."""
    if setup.on_gpu and not nvidia_gpus():
        raise Skipped("nvidia-smi tells nothing of this GPU, so that there is no plan to compare with")
    context = context_bytes() if setup.on_gpu else None
    device = find_device()
    yield {"what": "context", "bytes": context, "planned": device.overhead}
    config = planned_config(setup)
    plan = make_plan(config, device)
    yield {"what": "load", **loaded_bytes(config), "planned": plan.host_bytes or None}
    yield training_row(config, setup, planned=plan.peak, context=context) | {
        "phases": {phase.name: phase.total for phase in plan.phases}
    }
    yield {"what": "process group", "bytes": group_bytes(setup), "planned": NCCL if setup.on_gpu else None}


def context_bytes() -> int:
    """Return what CUDA's context, its kernels and cuBLAS's workspace take of the GPU."""
    before = nvidia_gpus()[0].free
    square = torch.ones(512, 512, device="cuda", dtype=torch.bfloat16)
    torch.mm(square, square)
    torch.cuda.synchronize()
    return before - torch.cuda.mem_get_info()[0] - torch.cuda.memory_reserved()


def planned_config(setup: Setup) -> Config:
    """Return a training of a random model in the shape of Qwen2.5-0.5B, which it writes to the stage's folder."""
    folder = setup.folder / "model"
    dtype = resolve_dtype("auto")
    random_model(shape_config(QWEN, on_gpu=setup.on_gpu), setup.device, dtype).save_pretrained(folder)
    load_tokenizer("tiny").save_pretrained(folder)
    if setup.on_gpu:
        torch.cuda.empty_cache()
    size = {"max_completion_length": 128} if setup.on_gpu else {}
    return training_config(setup, model={"name": str(folder)}, trainer={"max_steps": 2, **size})


def loaded_bytes(config: Config) -> dict[str, int]:
    """Return this process's main memory before a load and after it, and its largest so far."""
    before = psutil.Process().memory_info().rss
    load_base_model(config.model)
    peak = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"rss_before": before, "rss_after": psutil.Process().memory_info().rss, "rss_peak": peak}


def training_row(config: Config, setup: Setup, *, planned: int, context: int | None) -> Row:
    """Train; return the peak of the allocator, of what it reserved, and of both with the context."""
    peaks = train_peaks(config, setup.folder / "run", on_gpu=setup.on_gpu)
    if context is None:
        return {"what": "training", "planned": planned, **peaks}
    total = context + peaks["reserved"]
    row: Row = {"what": "training", "planned": planned, "measured": total, "ratio": total / planned, **peaks}
    if total > planned:
        row["finding"] = f"a training takes {total / 1e9:.1f} GB of the GPU, and its plan says {planned / 1e9:.1f}"
    return row


def train_peaks(config: Config, folder: Path, *, on_gpu: bool) -> dict[str, Any]:
    """Return the largest number of bytes that tensors had, and that torch's allocator took for them."""
    if on_gpu:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    with trainer_context(config, folder, load_problems(config.data).train, []) as trainer:
        trainer.train()
    if not on_gpu:
        return {"rss": psutil.Process().memory_info().rss}
    return {"allocated": torch.cuda.max_memory_allocated(), "reserved": torch.cuda.max_memory_reserved()}


def group_bytes(setup: Setup) -> int | None:
    """Return what a process group of one rank and its first collective take of the GPU beside their tensor."""
    before = free_bytes(setup.on_gpu)
    store = f"file://{setup.folder / 'store'}"
    torch.distributed.init_process_group("nccl" if setup.on_gpu else "gloo", init_method=store, rank=0, world_size=1)
    try:
        tensor = torch.ones(1024, device=setup.device)
        torch.distributed.all_reduce(tensor)
        after = free_bytes(setup.on_gpu)
    finally:
        torch.distributed.destroy_process_group()
    return None if before is None or after is None else before - after


def free_bytes(on_gpu: bool) -> int | None:
    """Return what is free of the GPU, or in torch's own hands; None on a CPU."""
    if not on_gpu:
        return None
    torch.cuda.synchronize()
    return torch.cuda.mem_get_info()[0] + torch.cuda.memory_reserved()
