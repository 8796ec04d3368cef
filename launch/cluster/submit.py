"""Submitting: the rendered file goes to the scheduler's own command, whose answer is passed on."""

import shutil
import subprocess
from pathlib import Path

from launch.cluster.render import SUBMITTED_WITH, Target
from rl.common.errors import UserError


def submit(target: Target, file: Path) -> str:
    """What the scheduler answered. Raises UserError when its command is missing or refuses."""
    command = [*SUBMITTED_WITH[target], str(file)]
    if shutil.which(command[0]) is None:
        raise UserError(f"{command[0]} is not on this machine; run there: {' '.join(command)}")
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise UserError(f"`{' '.join(command)}` failed with exit code {done.returncode}: {done.stderr.strip()}")
    return done.stdout.strip()
