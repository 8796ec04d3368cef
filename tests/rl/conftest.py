"""Set-up of the tests of `rl`: a finished run of the tiny recipe, and property tests without a deadline."""

import io
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import settings

# Being slow is no failure on a shared machine.
settings.register_profile("steady", deadline=None)
settings.load_profile("steady")


@dataclass(frozen=True, kw_only=True, slots=True)
class FinishedRun:
    """A run folder and the output of its training."""

    folder: Path
    printed: str


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> FinishedRun:
    """Run `heed train tiny` once. Tests copy the folder before they change it."""
    from rl.train import train
    from tests.rl.grpo_fixtures import recipe_config

    folder = tmp_path_factory.mktemp("runs") / "tiny"
    with redirect_stdout(io.StringIO()) as printed:
        train(recipe_config(folder))
    return FinishedRun(folder=folder, printed=printed.getvalue())
