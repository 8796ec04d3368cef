"""Trainings of the stages: a few steps with the same settings everywhere, and what a stage changes of them."""

import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from launch.bench.gpu import reward
from launch.bench.gpu.stage import Row, Setup
from rl.config.load import parse_config
from rl.config.root import Config
from rl.runs.jsonl import read_jsonl

HEED = [sys.executable, "-m", "launch.cli"]
EVEN_SHARE = f"{reward.__file__}:{reward.even_share.__name__}"


def training_config(setup: Setup, **sections: dict[str, Any]) -> Config:
    """Return the settings of a short GRPO training; `sections` change single keys. A CPU gets smaller batches."""
    rows, generations, length = (16, 8, 64) if setup.on_gpu else (4, 4, 8)
    tree: dict[str, dict[str, Any]] = {
        "model": {"name": setup.model},
        "data": {"num_problems": 32, "held_out": 0},
        "rewards": {"functions": [EVEN_SHARE]},
        "probe": {"horizon": [2, 12]},
        "trainer": {
            "max_steps": 3,
            "per_device_train_batch_size": rows,
            "num_generations": generations,
            "max_completion_length": length,
            "save_steps": 1000,
        },
    }
    return parse_config({**tree, **{name: {**tree.get(name, {}), **changes} for name, changes in sections.items()}})


def heed(*arguments: str, accepted: Sequence[int] = (0,)) -> str:
    """Run a command of Heed in a process of its own; return what it printed on stdout.

    Raises RuntimeError for an exit code that is not among the accepted; the reason is in the stage's log.
    """
    done = subprocess.run([*HEED, *arguments], stdout=subprocess.PIPE, text=True)
    if done.returncode not in accepted:
        raise RuntimeError(f"`heed {' '.join(arguments)}` ended with exit code {done.returncode}")
    return done.stdout


def single_rank() -> dict[str, str]:
    """Return the environment that a launcher gives to the only rank of a group."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    ranks = {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1", "LOCAL_WORLD_SIZE": "1"}
    return {**ranks, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}


def steps_of(run: Path) -> list[dict[str, float]]:
    """Return what a run logged of its steps."""
    return [line for line in read_jsonl(run / "metrics.jsonl") if "loss" in line]


def adapter_of(run: Path) -> dict[str, Tensor]:
    return load_file(run / "adapters" / "default" / "adapter_model.safetensors")


def gpu_peak(setup: Setup) -> Row:
    """Return the most that this process had on the GPU, and a finding if that was nothing; nothing on a CPU."""
    if not setup.on_gpu:
        return {}
    peak = torch.cuda.max_memory_allocated()
    return {"peak_bytes": peak} | ({} if peak else {"finding": "the GPU was left idle"})
