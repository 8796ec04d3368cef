"""Submission: the rendered file is written, and handed to the scheduler's own command if asked."""

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from launch.cluster.render import render
from launch.cluster.spec import ClusterSpec
from launch.cluster.targets import JOB_FILES, Target
from rl.common.atomic import write_text
from rl.common.errors import UserError
from rl.common.export_folder import check_apart
from rl.config.root import Config


def launch_command(
    target: Target,
    config: Config,
    spec: ClusterSpec,
    *,
    output: Path | None = None,
    inputs: Sequence[Path | str | None] = (),
    submit: bool = False,
) -> dict[str, Any]:
    """Write the file of a run for a scheduler, and submit it if asked; the body of `heed launch`.

    `inputs` are the recipe and the spec, which it does not replace.

    Returns the file, the command that submits it, and the scheduler's answer (None if it was not submitted). Raises
    ValueError for what the target needs and the spec lacks, and when the scheduler refuses the file.
    """
    file = output or Path(f"{spec.name}.{JOB_FILES[target].ending}")
    check_apart(file, *inputs)
    write_text(file, render(target, config, spec))
    answer = submit_file(target, file) if submit else None
    return {"file": str(file), "submit_with": " ".join(submit_arguments(target, file)), "answer": answer}


def show_launch(result: dict[str, Any]) -> None:
    """Say where the file lies, and how to submit it or what the scheduler answered."""
    if result["answer"] is None:
        print(f"{result['file']}: submit it with `{result['submit_with']}`")
    else:
        print(f"{result['file']}: submitted", result["answer"], sep="\n")


def submit_file(target: Target, file: Path) -> str:
    """Return what the scheduler answered. Raises UserError when its command is missing or refuses the file."""
    command = submit_arguments(target, file)
    if shutil.which(command[0]) is None:
        raise UserError(f"{command[0]} is not on this machine; run there: {' '.join(command)}")
    outcome = subprocess.run(command, capture_output=True, text=True)
    if outcome.returncode != 0:
        raise UserError(f"`{' '.join(command)}` failed with exit code {outcome.returncode}: {outcome.stderr.strip()}")
    return outcome.stdout.strip()


def submit_arguments(target: Target, file: Path) -> list[str]:
    """Return the command line that hands the file to the scheduler."""
    return [*JOB_FILES[target].submitted_with, str(file)]
