"""Submitting: the rendered file goes to the scheduler's own command, whose answer is passed on."""

import shutil
import subprocess
from pathlib import Path

from launch.cluster.render import SUBMITTED_WITH, Target


def submit(target: Target, file: Path) -> str:
    """What the scheduler answered. Raises ValueError when its command is missing or refuses."""
    command = [*SUBMITTED_WITH[target], str(file)]
    if shutil.which(command[0]) is None:
        raise ValueError(f"{command[0]} is not on this machine; run there: {' '.join(command)}")
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise ValueError(f"`{' '.join(command)}` failed with exit code {done.returncode}: {done.stderr.strip()}")
    return done.stdout.strip()
