"""Set-up of the tests of several ranks: the same training by one process."""

from pathlib import Path

import pytest

from launch.recipes import load_recipe
from rl.train import train
from tests.launch.multi_rank import COMMON


@pytest.fixture(scope="session")
def alone(tmp_path_factory) -> Path:
    """Train in one process with the same global batch; return the run folder."""
    folder = tmp_path_factory.mktemp("alone") / "run"
    return train(load_recipe("tiny", [f"run.folder={folder}", *COMMON, "trainer.per_device_train_batch_size=8"]))
