"""Restarts: a job that is started again resumes from its newest checkpoint, or starts afresh if there is none."""

from collections.abc import Sequence
from pathlib import Path

from launch.recipes import load_recipe
from rl.common.errors import UserError
from rl.config.load import load_resumed
from rl.config.root import Config
from rl.runs.lock import LOCK, run_lock


def load_or_resume(recipe: str, overrides: Sequence[str]) -> Config:
    """Return the recipe's config, or the resumed config of its run folder if that has a complete checkpoint.

    A run folder without one is moved aside. Raises UserError when the recipe names no folder.
    """
    config = load_recipe(recipe, overrides)
    folder = config.run.folder
    if folder is None:
        raise UserError("--or-resume needs run.folder: without it every start takes a new folder")
    if _prepare_resume(config, folder):
        return load_resumed(folder, ["run.accept_changed_code=true"] if config.run.accept_changed_code else [])
    return config


def restart_config(config: Config, folder: Path) -> Config:
    """Return the config to continue with after ranks were lost; settings that a resume has changed stay changed."""
    if _prepare_resume(config, folder):
        return config.model_copy(update={"resume": folder})
    run = config.run.model_copy(update={"folder": folder})
    return config.model_copy(update={"resume": None, "run": run})


def _prepare_resume(config: Config, folder: Path) -> bool:
    """Return whether the run in the folder can be resumed; if it cannot, move the folder aside."""
    from rl.runs.checkpoint import newest_checkpoint

    started = (folder / "config.yaml").exists()
    # a run in rounds has its checkpoints in the folders of the rounds
    if newest_checkpoint(folder) is not None or (started and config.pairs.rounds):
        return True
    if started:
        with run_lock(folder):
            moved = folder.rename(_free_name(folder))
        (moved / LOCK).unlink(missing_ok=True)
    return False


def _free_name(folder: Path) -> Path:
    number = 1
    while (free := folder.with_name(f"{folder.name}.unfinished-{number}")).exists():
        number += 1
    return free
