"""Stage: the time of a training step of plain TRL, of ours with and without shared prompts, and with credit."""

from collections.abc import Iterator
from typing import Any

import torch

from launch.bench.gpu.stage import Row, Setup
from launch.bench.steps import Modes, bench_steps
from rl.models.load import resolve_dtype

MODES: Modes = {
    "plain TRL": None,
    "separate prompts": {"trainer": {"shared_prompts": False}},
    "uniform": {"credit": {"rule": "uniform"}},
    "constraint": {"credit": {"rule": "constraint"}},
}


def measure(setup: Setup) -> Iterator[Row]:
    """Yield a row for each way to train, in the number format that runs take here."""
    dtype = "bfloat16" if setup.on_gpu and resolve_dtype("auto") == torch.bfloat16 else "float32"
    sizes: dict[str, Any] = {"completions": 8, "length": 8, "steps": 2, "rounds": 1}
    if setup.on_gpu:
        sizes = {"completions": 16, "length": 32, "steps": 3, "rounds": 2}
    for row in bench_steps(setup.model, **sizes, modes=MODES, baselines=["plain TRL", "uniform"], dtype=dtype):
        yield {"dtype": dtype} | row
