"""Rendering: a recipe and a spec become the file that a scheduler takes."""

import base64
import importlib.metadata
import json
import shlex
from pathlib import PurePosixPath
from typing import Literal

from jinja2 import Environment, PackageLoader, StrictUndefined

from launch.cluster.spec import ClusterSpec
from rl.common.errors import UserError
from rl.config.load import resolved_yaml
from rl.config.root import Config

Target = Literal["slurm", "kuberay", "ray-job"]

TEMPLATES = {"slurm": "slurm.sh.j2", "kuberay": "kuberay.yaml.j2", "ray-job": "ray_job.sh.j2"}
SUBMITTED_WITH = {"slurm": ("sbatch",), "kuberay": ("kubectl", "create", "-f"), "ray-job": ("bash",)}
ENDINGS = {"slurm": "sbatch", "kuberay": "yaml", "ray-job": "sh"}
INTERRUPTED, TERMINATED = 130, 143
"""Exit codes of `heed train`: after it saved because it was told to stop, and when SIGTERM came before the training."""


def render(target: Target, config: Config, spec: ClusterSpec) -> str:
    """The file's text. Raises UserError for what the target needs and the spec lacks.

    The resolved recipe travels inside the file, so that what starts is what was planned.
    """
    if target == "kuberay" and spec.image is None:
        raise UserError("kuberay needs an image: set image in the spec (heed's Dockerfile builds one)")
    environment = Environment(
        loader=PackageLoader("launch.cluster", "templates"),
        autoescape=False,  # these are shell and YAML; every value goes through a filter of its language
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["sh"] = lambda value: shlex.quote(str(value))
    environment.filters["yaml"] = lambda value: json.dumps(str(value))  # a JSON string is a YAML string
    folder = str(PurePosixPath(spec.runs) / (config.run.folder or config.run.name))
    return environment.get_template(TEMPLATES[target]).render(
        spec=spec,
        folder=folder,
        recipe=base64.b64encode(resolved_yaml(placed(config, folder)).encode()).decode(),
        minutes=max(1, round(spec.hours * 60)),
        ray_version=importlib.metadata.version("ray"),
        interrupted=INTERRUPTED,
        terminated=TERMINATED,
    )


def placed(config: Config, folder: str) -> Config:
    """The config with the folder that every start of the job will use."""
    return Config.model_validate({**config.model_dump(), "run": {"name": config.run.name, "folder": folder}})
