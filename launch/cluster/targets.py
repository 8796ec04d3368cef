"""Targets: the schedulers that a run can be handed to, and what each of them takes."""

from dataclasses import dataclass
from typing import Literal

Target = Literal["slurm", "kuberay", "ray-job"]


@dataclass(frozen=True, kw_only=True, slots=True)
class JobFile:
    """The file that a scheduler takes.

    Example:
        JobFile(template="slurm.sh.j2", ending="sbatch", submitted_with=("sbatch",))
    """

    template: str
    """Its name in `templates/`."""
    ending: str
    submitted_with: tuple[str, ...]
    """The command that takes the file as its last argument."""


JOB_FILES: dict[Target, JobFile] = {
    "slurm": JobFile(template="slurm.sh.j2", ending="sbatch", submitted_with=("sbatch",)),
    "kuberay": JobFile(template="kuberay.yaml.j2", ending="yaml", submitted_with=("kubectl", "create", "-f")),
    "ray-job": JobFile(template="ray_job.sh.j2", ending="sh", submitted_with=("bash",)),
}
