"""The run folder: where everything a run leaves behind lies, and what it says about where it came from."""

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
from rl.runs.jsonl import JsonlFile

JOURNALS = ("metrics.jsonl", "rollouts.jsonl")
PACKAGES = ("torch", "transformers", "trl", "peft", "accelerate", "datasets", "tokenizers", "numpy")


def open_run(config: Config) -> tuple[Path, Path | None]:
    """The run folder and the checkpoint to continue from (None for a fresh run).

    Raises UserError when a fresh run's folder is already used, when it cannot be written, or when `resume` names a
    folder without a complete checkpoint.
    """
    return run_on_main(lambda: _open(config))


def _open(config: Config) -> tuple[Path, Path | None]:
    if config.resume is not None:
        end_recorded_session(config.resume)
        checkpoint = resume_point(config.resume)
        for name in JOURNALS:
            JsonlFile(config.resume / name).rewind(checkpoint_step(checkpoint))
        return config.resume, checkpoint
    return found_run(config), None


def found_run(config: Config) -> Path:
    """A fresh run folder that says what it is. Raises UserError when it is used already or cannot be written."""
    folder = config.run.folder or next_folder(config.run.name)
    make_folder(folder)
    write_text(folder / "config.yaml", resolved_yaml(config))
    write_json(folder / "environment.json", environment(config))
    return folder


def next_folder(name: str) -> Path:
    """The first `runs/<name>-<number>` that does not exist yet."""
    taken = (Path("runs") / f"{name}-{number}" for number in range(1, sys.maxsize))
    return next(path for path in taken if not path.exists())


def make_folder(folder: Path) -> None:
    """Create the folder. Raises UserError when it holds a run already or cannot be written."""
    if (folder / "config.yaml").exists():
        raise UserError(f"run.folder={folder} already holds a run: choose another, or continue it with resume={folder}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_text(folder / ".writable", "")
        (folder / ".writable").unlink()
    except OSError as error:
        raise UserError(
            f"run.folder={folder} cannot be written: {error.strerror}; choose another run.folder"
        ) from error


def environment(config: Config) -> dict[str, Any]:
    """Versions, git revision and seed: what it takes to repeat the run."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: importlib.metadata.version(name) for name in PACKAGES},
        "git_revision": git_revision(),
        "seed": config.trainer.seed,
        "cpu_count": os.cpu_count(),
        "command": sys.argv,
    }


def git_revision() -> str | None:
    """The checkout's commit, marked when files differ from it; None outside a checkout."""
    here = Path(__file__).parent
    shown = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=40"], cwd=here, capture_output=True, text=True
    )
    return shown.stdout.strip() or None
