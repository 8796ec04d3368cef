"""Stage: on a machine with several GPUs, one rank beside idle ones, a worker on the next, and two ranks by NCCL."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from launch.bench.gpu.stage import Row, Setup, Skipped
from launch.bench.gpu.trainings import heed, steps_of
from launch.recipes import load_recipe
from rl.common.device import visible_gpus
from rl.rollouts.workers.placement import place_workers

STARTS = {
    "one rank": [],
    "one rank and a worker": ["rollouts.workers=1", "rollouts.cpus=0.1"],
    "two ranks": ["distributed.processes=2", "trainer.per_device_train_batch_size=4"],
}
SHORT = ["model.dtype=auto", "trainer.max_steps=1", "data.held_out=0"]


def measure(setup: Setup) -> Iterator[Row]:
    """Yield a row for each way to start."""
    if visible_gpus() < 2:
        raise Skipped(f"it needs two GPUs, and {visible_gpus()} can be seen")
    yield from start_rows(setup.folder)


def start_rows(folder: Path) -> Iterator[Row]:
    for number, (name, settings) in enumerate(STARTS.items(), 1):
        yield {"start": name} | start_row(settings, folder / f"start-{number}")


def start_row(settings: Sequence[str], run: Path) -> Row:
    """Train a step; return where the workers were put."""
    overrides = [*SHORT, *settings, f"run.folder={run}"]
    workers = place_workers(load_recipe("tiny", overrides))
    heed("train", "tiny", *overrides)
    row: Row = {"workers_on": list(workers), "steps": len(steps_of(run))}
    if "0" in workers:
        row["finding"] = "the worker shares the rank's GPU, although another is idle"
    return row
