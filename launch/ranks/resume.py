"""Restarts: a job that is started again resumes from its newest checkpoint, or starts afresh if there is none."""

from collections.abc import Sequence
from pathlib import Path

from launch.recipes import load_recipe
from rl.common.errors import UserError
from rl.config.load import resumed_as
from rl.config.root import Config
from rl.runs.lock import LOCK, run_lock


def load_or_resume(recipe: str, overrides: Sequence[str]) -> Config:
    """Return the recipe's config, which resumes its run folder if that has a complete checkpoint.

    Raises UserError when the recipe names no folder, and for each setting that the run has otherwise and a resume may
    not change.
    """
    config = load_recipe(recipe, overrides)
    folder = config.run.folder
    if folder is None:
        raise UserError("--or-resume needs run.folder: without it every start takes a new folder")
    return resumed_as(config, folder) if _can_resume(config, folder) else config


def restart_config(config: Config, folder: Path) -> Config:
    """Return the config to continue with after ranks were lost; settings that a resume has changed stay changed."""
    if _can_resume(config, folder):
        return config.model_copy(update={"resume": folder})
    move_aside(folder)
    run = config.run.model_copy(update={"folder": folder})
    return config.model_copy(update={"resume": None, "run": run})


def _can_resume(config: Config, folder: Path) -> bool:
    from rl.runs.checkpoint import newest_checkpoint

    # a run in rounds has its checkpoints in the folders of the rounds
    in_rounds = bool(config.pairs.rounds) and (folder / "config.yaml").exists()
    return in_rounds or newest_checkpoint(folder) is not None


def move_aside(folder: Path) -> None:
    """Move a run that cannot be resumed to `<folder>.unfinished-<number>`. Raises UserError while it still goes on."""
    from rl.runs.folder import next_folder

    if (folder / "config.yaml").exists():
        with run_lock(folder):
            moved = folder.rename(next_folder(folder.parent, f"{folder.name}.unfinished"))
        (moved / LOCK).unlink(missing_ok=True)
