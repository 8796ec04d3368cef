"""Stage: the commands that read attention, `heed probe`, `calibrate` and `baseline`, on the device."""

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch

from launch.bench.gpu.stage import Row, Setup
from launch.bench.gpu.trainings import gpu_peak
from launch.probe.baseline import fit_baseline
from launch.probe.calibrate import calibrate_heads
from launch.probe.read import run_probe

PROMPT, RULE = "Name a fruit. Use no commas.", "Use no commas."


def measure(setup: Setup) -> Iterator[Row]:
    """Yield the time of each command."""
    texts: dict[str, Any] = {"max_new_tokens": 16}
    commands: dict[str, Callable[[], Any]] = {
        "probe": partial(
            run_probe, setup.model, PROMPT, out=setup.folder / "page", generate=True, constraints=[RULE], **texts
        ),
        "calibrate": partial(
            calibrate_heads, setup.model, out=setup.folder / "roles.json", num_prompts=8, num_needles=2, **texts
        ),
        "baseline": partial(fit_baseline, setup.model, out=setup.folder / "baseline", num_prompts=32, **texts),
    }
    for name, command in commands.items():
        yield {"command": name} | timed(command, setup)


def timed(command: Callable[[], Any], setup: Setup) -> Row:
    """Run a command; return its time and, on a GPU, the most that it had there, which must not be nothing."""
    if setup.on_gpu:
        torch.cuda.reset_peak_memory_stats()
    started = time.perf_counter()
    command()
    return {"seconds": time.perf_counter() - started} | gpu_peak(setup)
