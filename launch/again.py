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
    started = (folder / "config.yaml").exists()
    # the checkpoints of a run in rounds are those of its rounds
    if newest_checkpoint(folder) is not None or (started and config.pairs.rounds):
        return load_config(str(folder / "config.yaml"), [f"resume={folder}"])
    if started:
        folder.rename(_free_name(folder))
    return config


def _free_name(folder: Path) -> Path:
    number = 1
    while (place := folder.with_name(f"{folder.name}.unfinished-{number}")).exists():
        number += 1
    return place
