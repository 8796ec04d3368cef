"""Again: a job that may be started many times goes on from its newest checkpoint, or starts."""

from collections.abc import Sequence
from pathlib import Path

from rl.config import Config
from rl.settings import load_config


def load_or_resume(recipe: str, overrides: Sequence[str]) -> Config:
    """The recipe's config, or that of its run folder, resumed, once there is a complete checkpoint.

    A folder whose run never got that far is moved aside. Raises ValueError when the recipe names no folder.
    """
    from rl.checkpoint import newest_checkpoint

    config = load_config(recipe, overrides)
    folder = config.run.folder
    if folder is None:
        raise ValueError("--or-resume needs run.folder: without it every start takes a folder of its own")
    if newest_checkpoint(folder) is not None:
        return load_config(str(folder / "config.yaml"), [f"resume={folder}"])
    if config.pairs.rounds and (folder / "config.yaml").exists():  # its checkpoints are those of its rounds
        return load_config(str(folder / "config.yaml"), [f"resume={folder}"])
    if (folder / "config.yaml").exists():
        folder.rename(_free_name(folder))
    return config


def _free_name(folder: Path) -> Path:
    number = 1
    while (place := folder.with_name(f"{folder.name}.unfinished-{number}")).exists():
        number += 1
    return place
