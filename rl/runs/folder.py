"""Run folder: created for a fresh run, rewound to a checkpoint for a resumed one."""

import importlib.metadata
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

from rl.common.atomic import write_json, write_text
from rl.common.distributed import run_on_main
from rl.common.errors import UserError
from rl.config.load import resolved_yaml
from rl.config.root import Config
from rl.rollouts.workers.ray_session import end_recorded_session
from rl.runs.checkpoint import checkpoint_step, resume_point
from rl.runs.custom_code import save_custom_code
from rl.runs.jsonl import JsonlFile
from rl.runs.resume import resume_command

STEP_FILES = ("metrics.jsonl", "rollouts.jsonl")
"""Files whose lines belong to optimizer steps; a resume removes those of steps that will be repeated."""
PACKAGES = ("torch", "transformers", "trl", "peft", "accelerate", "datasets", "tokenizers", "numpy")


def open_run(config: Config) -> tuple[Path, Path | None]:
    """Return the run folder and the checkpoint to continue from, None for a fresh run. All ranks must call it.

    Raises UserError when a fresh run's folder is already used or cannot be written, or when `resume` names a folder
    without a complete checkpoint.
    """
    return run_on_main(lambda: (create_run(config), None) if config.resume is None else _reopen(config, config.resume))


def create_run(config: Config) -> Path:
    """Create the folder of a fresh run and write its settings, versions and custom code into it.

    Raises UserError when the folder is used already or cannot be written.
    """
    folder = config.run.folder or next_folder(config.run.name)
    make_folder(folder)
    write_text(folder / "config.yaml", resolved_yaml(config))
    write_json(folder / "environment.json", environment(config.trainer.seed))
    save_custom_code(config, folder)
    return folder


def _reopen(config: Config, folder: Path) -> tuple[Path, Path]:
    end_recorded_session(folder)
    checkpoint = resume_point(folder)
    for name in STEP_FILES:
        JsonlFile(folder / name).rewind(checkpoint_step(checkpoint))
    save_custom_code(config, folder)
    return folder, checkpoint


def next_folder(name: str) -> Path:
    """Return the first `runs/<name>-<number>` that does not exist yet."""
    folders = (Path("runs") / f"{name}-{number}" for number in range(1, sys.maxsize))
    return next(folder for folder in folders if not folder.exists())


def make_folder(folder: Path) -> None:
    """Create the folder. Raises UserError when it holds a run already or cannot be written."""
    if (folder / "config.yaml").exists():
        raise UserError(
            f"run.folder={folder} already holds a run: choose another, or continue it with {resume_command(folder)}"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_text(folder / ".writable", "")
        (folder / ".writable").unlink()
    except OSError as error:
        raise UserError(
            f"run.folder={folder} cannot be written: {error.strerror}; choose another run.folder"
        ) from error


def environment(seed: int) -> dict[str, Any]:
    """Return what it takes to repeat the run: versions, git revision, seed and command."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: importlib.metadata.version(name) for name in PACKAGES},
        "git_revision": git_revision(),
        "seed": seed,
        "cpu_count": os.cpu_count(),
        "command": sys.argv,
    }


def git_revision() -> str | None:
    """Return the checkout's commit, marked when files differ from it; None outside a checkout."""
    here = Path(__file__).parent
    shown = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=40"], cwd=here, capture_output=True, text=True
    )
    return shown.stdout.strip() or None
