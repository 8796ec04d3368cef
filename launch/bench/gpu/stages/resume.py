"""Stage: whether a training that is continued from a checkpoint ends with the weights of one that was not stopped."""

import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from torch import Tensor

from launch.bench.gpu.stage import Row, Setup
from launch.bench.gpu.trainings import training_config
from rl.build import trainer_context
from rl.config.root import Config
from rl.datasets import load_problems

STEPS, STOPPED_AFTER = 4, 2
CUBLAS = "CUBLAS_WORKSPACE_CONFIG"


def measure(setup: Setup) -> Iterator[Row]:
    """Yield the gaps as runs are, and with deterministic kernels where there are any."""
    os.environ.setdefault(CUBLAS, ":4096:8")  # cuBLAS reads it at its first product
    size = {"max_steps": STEPS, "save_steps": 1, "save_total_limit": STEPS}
    config = training_config(setup, model={"name": "tiny"}, lora={"dropout": 0.1}, trainer=size)
    for deterministic in (False, True):
        torch.use_deterministic_algorithms(deterministic, warn_only=True)
        yield {"deterministic": deterministic} | resume_row(config, setup.folder / f"deterministic-{deterministic}")
    torch.use_deterministic_algorithms(False)


def resume_row(config: Config, folder: Path) -> Row:
    """Train twice, and from a checkpoint of the first; return the largest gap of a weight to the first training's.

    What does not repeat cannot be resumed exactly; then the gap of the repetition is the measure.
    """
    first, again = (trained(config, folder / name) for name in ("first", "again"))
    shutil.copytree(folder / "first", folder / "resumed")
    resumed = trained(config, folder / "resumed", checkpoint=folder / "resumed" / f"checkpoint-{STOPPED_AFTER}")
    row: Row = {"gap_resumed": largest_gap(first, resumed), "gap_repeated": largest_gap(first, again)}
    if row["gap_repeated"] == 0.0 and row["gap_resumed"] != 0.0:
        row["finding"] = f"the same training repeats exactly, and resumed it differs by {row['gap_resumed']:.2g}"
    return row


def trained(config: Config, folder: Path, checkpoint: Path | None = None) -> dict[str, Tensor]:
    """Return the adapter after training, from the start or from a checkpoint."""
    with trainer_context(config, folder, load_problems(config.data).train, []) as trainer:
        trainer.train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint))
        weights = trainer.policy.named_parameters()
        return {name: weight.detach().cpu() for name, weight in weights if weight.requires_grad}


def largest_gap(first: Mapping[str, Tensor], second: Mapping[str, Tensor]) -> float:
    return max((first[name] - second[name]).abs().max().item() for name in first)
