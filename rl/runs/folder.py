"""Run folder: created for a fresh run, rewound to a checkpoint for a resumed one."""

import importlib.metadata
import logging
import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from itertools import count
from pathlib import Path
from typing import Any

import torch

from rl.common.atomic import write_json, write_text
from rl.common.attention_kernels import choose_attention_kernels
from rl.common.device import visible_gpus
from rl.common.distributed import run_on_main
from rl.common.errors import UserError
from rl.config.load import resolved_yaml
from rl.config.root import Config
from rl.config.run import RunConfig
from rl.rollouts.workers.ray_session import end_recorded_session
from rl.rollouts.workers.served_record import remove_recorded
from rl.runs.checkpoint import checkpoint_step, resume_point
from rl.runs.inputs import save_inputs
from rl.runs.jsonl import JsonlFile, read_jsonl
from rl.runs.lock import run_lock
from rl.runs.resume import resume_command

STEP_FILES = ("metrics.jsonl", "rollouts.jsonl")
"""Files whose lines belong to optimizer steps; a resume removes those of steps that will be repeated."""
START_FILES = (
    *STEP_FILES,
    "config.yaml",
    "environment.json",
    "custom",
    "inputs.json",
    "before.json",
    "ledger*.sqlite*",
)
"""What a start writes before its first step; whatever else the folder holds is the user's, or of this start."""
PRODUCTS = (
    *STEP_FILES,
    "adapters",
    "bundle",
    "checkpoint-*",
    "custom",
    "inputs.json",
    "ledger*.sqlite",
    "round-*",
    "summary.json",
)
"""What a run writes, replaces and deletes in its folder, and a fresh run must not find there."""
PACKAGES = ("torch", "transformers", "trl", "peft", "accelerate", "datasets", "tokenizers", "numpy")

log = logging.getLogger("heed.run")


@contextmanager
def open_run(config: Config, *, locked: bool = False) -> Iterator[tuple[Path, Path | None]]:
    """Hold the run folder; yield it and the checkpoint to continue from, None for a fresh run. All ranks must call it.

    `locked` says that the process which started this one holds the folder. Raises UserError when another process
    does, when a fresh run's folder is already used or cannot be written, or when `resume` names a folder without a
    complete checkpoint.
    """
    with ExitStack() as held:
        yield run_on_main(lambda: _prepare(config, held.enter_context(hold_folder(config, locked=locked))))


@contextmanager
def hold_folder(config: Config, *, locked: bool = False) -> Iterator[Path]:
    """Yield the run folder, locked unless it is already; a fresh run's is created, with settings, versions and code.

    Raises UserError when another process holds it, when it is used already or cannot be written.
    """
    folder = config.resume or claim_folder(config.run)
    with nullcontext() if locked else run_lock(folder):
        if config.resume is None:
            _write_start(config, folder)
        yield folder


def _write_start(config: Config, folder: Path) -> None:
    if (folder / "config.yaml").exists():
        if _has_trained(folder):
            raise UserError(
                f"run.folder={folder} already holds a run: choose another, or continue it with {resume_command(folder)}"
            )
        _set_failed_start_aside(folder)
    if found := sorted(path.name for pattern in PRODUCTS for path in folder.glob(pattern)):
        raise UserError(
            f"run.folder={folder} holds {', '.join(found[:3])}, which the run would replace or add to; choose another"
        )
    write_text(folder / "config.yaml", resolved_yaml(config))
    write_json(folder / "environment.json", environment(config.trainer.seed))
    save_inputs(config, folder)


def _has_trained(folder: Path) -> bool:
    saved = any(next(folder.glob(pattern), None) for pattern in ("checkpoint-*", "round-*", "summary.json"))
    return saved or bool(read_jsonl(folder / "metrics.jsonl"))


def _set_failed_start_aside(folder: Path) -> None:
    """Move what a start wrote that failed before its first step to the next `<folder>.unfinished-<number>`."""
    end_recorded_session(folder)
    remove_recorded(folder)
    aside = next_folder(folder.parent, f"{folder.name}.unfinished")
    for path in [path for pattern in START_FILES for path in folder.glob(pattern)]:
        path.rename(aside / path.name)
    log.warning("an earlier start in %s failed before its first step; what it wrote is now in %s", folder, aside)


def _prepare(config: Config, folder: Path) -> tuple[Path, Path | None]:
    if config.resume is None:
        return folder, None
    end_recorded_session(folder)
    remove_recorded(folder)
    checkpoint = resume_point(folder)
    for name in STEP_FILES:
        JsonlFile(folder / name).rewind(checkpoint_step(checkpoint))
    save_inputs(config, folder)
    return folder, checkpoint


def claim_folder(run: RunConfig) -> Path:
    """Create and return `run.folder`, or the next of its name. Raises UserError when it cannot be written."""
    folder = run.folder or Path("runs")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        folder = run.folder or next_folder(folder, run.name)
        write_text(folder / ".writable", "")
        (folder / ".writable").unlink()
    except OSError as error:
        raise UserError(
            f"run.folder={folder} cannot be written: {error.strerror}; choose another run.folder"
        ) from error
    return folder


def next_folder(parent: Path, name: str) -> Path:
    """Create and return the first `<name>-<number>` that no other start has created, not even at the same moment."""
    for number in count(1):
        with suppress(FileExistsError):
            (folder := parent / f"{name}-{number}").mkdir()
            return folder
    raise AssertionError("count is endless")


def environment(seed: int) -> dict[str, Any]:
    """Return what it takes to repeat the run: versions, git revision, seed, hardware, GPU kernels and command."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: importlib.metadata.version(name) for name in PACKAGES},
        "git_revision": git_revision(),
        "seed": seed,
        "cpu_count": os.cpu_count(),
        "gpus": [torch.cuda.get_device_name(gpu) for gpu in range(visible_gpus())],
        "attention_kernels": choose_attention_kernels(),
        "command": sys.argv,
    }


def git_revision() -> str | None:
    """Return the checkout's commit, marked when files differ from it; None outside a checkout."""
    here = Path(__file__).parent
    shown = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=40"], cwd=here, capture_output=True, text=True
    )
    return shown.stdout.strip() or None
