"""Cluster spec: the machines that a run gets and what lies on them; the same for every scheduler."""

import json
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import AfterValidator, Field, ValidationError

from rl.common.errors import UserError
from rl.config.types import Positive, Section


def _path(text: str) -> str:
    """Return the text. Raises UserError for one that a command takes for an option, or that ends its line."""
    if not text.strip() or text.startswith("-") or not text.isprintable():
        raise UserError(f"should be a path or a name without line breaks that does not begin with '-', got {text!r}")
    return text


def _mount(text: str) -> str:
    source, colon, target = _path(text).partition(":")
    if not colon or not source or not target.startswith("/"):
        raise UserError(f"should look like /data:/data, got {text!r}")
    return text


def _value(text: str) -> str:
    if "\0" in text:
        raise UserError(f"should hold no NUL character, which no environment can, got {text!r}")
    return text


PathText = Annotated[str, AfterValidator(_path)]
"""A path or an image's name; whatever characters of the shell it has are quoted where it is written."""
Mount = Annotated[str, AfterValidator(_mount)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]{0,40}[a-z0-9])?$")]
Queue = Annotated[str, Field(pattern=r"^[\w.][\w.,@+-]*$")]
"""A partition or an account: SLURM reads them from comments, where nothing can be quoted."""
Variable = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
VariableValue = Annotated[str, AfterValidator(_value)]


class ClusterSpec(Section):
    """The file that `heed launch --spec FILE` reads; every key has a default."""

    name: Name = "heed"
    """The job's name: small letters, digits and '-', as Kubernetes requires."""
    nodes: Positive = 1
    gpus_per_node: Annotated[int, Field(ge=0)] = 0
    cpus_per_node: Positive = 8
    memory_gb: Positive = 32
    """Memory of each node."""
    hours: Annotated[float, Field(gt=0)] = 24.0
    """The scheduler ends the job after so many hours."""
    grace_seconds: Positive = 300
    """Time between the warning and the end of the job or a preemption; a step and its checkpoint must fit in."""
    restarts: Annotated[int, Field(ge=0)] = 3
    """How often the job may restart from its newest checkpoint."""
    image: PathText | None = None
    """Container image; SLURM runs it with apptainer, and without an image uses the `.venv` of `checkout`."""
    mounts: tuple[Mount, ...] = ()
    """`source:target`; the source is a folder on the node (SLURM), or a volume claim (KubeRay)."""
    environment: dict[Variable, VariableValue] = Field(default_factory=dict)
    """Variables set on every node. Put no secrets here: name them in `secrets`."""
    secrets: tuple[Name, ...] = ()
    """Kubernetes secrets whose keys become variables, such as WANDB_API_KEY."""
    checkout: PathText = "/opt/heed"
    """The folder of Heed on the nodes, or in the image."""
    runs: PathText = "/runs"
    """The folder where runs are written; all nodes and all restarts must see it."""
    partition: Queue | None = None
    account: Queue | None = None


def load_spec(path: Path | None) -> ClusterSpec:
    """Return the spec in a YAML file, or the defaults. Raises UserError naming each key that is wrong."""
    if path is None:
        return ClusterSpec()
    try:
        tree = yaml.safe_load(path.read_text(encoding="utf-8-sig")) or {}
        return ClusterSpec.model_validate_json(json.dumps(tree), strict=True)
    except yaml.YAMLError as error:
        raise UserError(f"{path} is not YAML: {' '.join(str(error).split())}") from error
    except ValidationError as error:
        wrong = [f"{'.'.join(map(str, detail['loc']))}: {detail['msg']}" for detail in error.errors()]
        allowed = ", ".join(ClusterSpec.model_fields)
        raise UserError("\n".join([f"{path}:", *wrong, f"keys: {allowed}"])) from error
