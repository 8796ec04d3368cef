"""Rendering: a recipe and a cluster's spec become the file that a scheduler takes."""

import base64
import importlib.metadata
import json
import shlex
from pathlib import PurePosixPath

from jinja2 import Environment, PackageLoader, StrictUndefined

from launch.cluster.spec import ClusterSpec
from launch.cluster.targets import JOB_FILES, Target
from rl.common.errors import UserError
from rl.config.load import resolved_yaml
from rl.config.root import Config
from rl.runs.signals import UNFINISHED


def render(target: Target, config: Config, spec: ClusterSpec) -> str:
    """Return the file's text. Raises UserError for what the target needs and the spec lacks.

    The resolved recipe travels inside the file, so that what starts is what was planned.
    """
    if target == "kuberay" and spec.image is None:
        raise UserError("kuberay needs an image: set image in the spec (heed's Dockerfile builds one)")
    folder = str(PurePosixPath(spec.runs) / (config.run.folder or config.run.name))
    return (
        _environment()
        .get_template(JOB_FILES[target].template)
        .render(
            spec=spec,
            recipe=base64.b64encode(resolved_yaml(with_folder(config, folder)).encode()).decode(),
            minutes=max(1, round(spec.hours * 60)),
            ray_version=importlib.metadata.version("ray"),
            unfinished=UNFINISHED,
        )
    )


def with_folder(config: Config, folder: str) -> Config:
    """Return the config with the run folder that every start of the job uses."""
    tree = config.model_dump()
    return Config.model_validate({**tree, "run": {**tree["run"], "folder": folder}})


def _environment() -> Environment:
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
    return environment
