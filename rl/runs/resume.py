"""Resume: the commands to continue or verify a run with, and the hint that an error carries with it."""

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rl.common.errors import RunFailure, full_message
from rl.runs.checkpoint import newest_checkpoint


def resume_command(folder: Path) -> str:
    """Return the command that continues the run in `folder`."""
    return f"heed resume {shlex.quote(str(folder))}"


def export_command(folder: Path) -> str:
    """Return the command that verifies the adapter of the run in `folder`."""
    return f"heed export {shlex.quote(str(folder))}"


@contextmanager
def resume_hint_on_error(folder: Path) -> Iterator[None]:
    """Add to any error raised in the block how far the run is saved and which command continues it."""
    try:
        yield
    except SystemExit:
        raise
    except BaseException as error:
        checkpoint = newest_checkpoint(folder)
        saved = f"saved up to {checkpoint.name}; continue with: {resume_command(folder)}" if checkpoint else "not saved"
        if isinstance(error, RunFailure):
            raise RunFailure(f"{full_message(error)}\nThe run is {saved}") from error
        error.add_note(f"The run is {saved}")
        raise
