"""Again: a job that may be started many times goes on from its newest checkpoint, or starts."""

from collections.abc import Sequence
from pathlib import Path

from launch.recipes import load_recipe
from rl.common.errors import UserError
from rl.config.root import Config


def load_or_resume(recipe: str, overrides: Sequence[str]) -> Config:
    """The recipe's config, or that of its run folder, resumed, once there is a complete checkpoint.

    A folder whose run never got that far is moved aside. Raises UserError when the recipe names no folder.
    """
    config = load_recipe(recipe, overrides)
    folder = config.run.folder
    if folder is None:
        raise UserError("--or-resume needs run.folder: without it every start takes a folder of its own")
    if _goes_on(config, folder):
        return load_recipe(str(folder / "config.yaml"), [f"resume={folder}"])
    return config


def restart_config(config: Config, folder: Path) -> Config:
    """The config that goes on where ranks were lost; what a resume had changed stays changed."""
    if _goes_on(config, folder):
        return config.model_copy(update={"resume": folder})
    afresh = config.run.model_copy(update={"folder": folder})
    return config.model_copy(update={"resume": None, "run": afresh})


def _goes_on(config: Config, folder: Path) -> bool:
    """Whether the run in the folder can be resumed; one that cannot is moved aside."""
    from rl.runs.checkpoint import newest_checkpoint

    started = (folder / "config.yaml").exists()
    # the checkpoints of a run in rounds are those of its rounds
    if newest_checkpoint(folder) is not None or (started and config.pairs.rounds):
        return True
    if started:
        folder.rename(_free_name(folder))
    return False


def _free_name(folder: Path) -> Path:
    number = 1
    while (place := folder.with_name(f"{folder.name}.unfinished-{number}")).exists():
        number += 1
    return place
