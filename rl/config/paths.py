"""Paths: the settings that name files of this machine, made absolute, or moved along with their run folder."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rl.common.model_names import BUILTIN, TINY
from rl.config.credit_rules import CREDIT_RULES
from rl.config.root import Config

PATHS = (
    ("run", "folder"),
    ("model", "calibration"),
    ("lora", "start"),
    ("routing", "start"),
    ("probe", "roles"),
    ("probe", "baseline"),
    ("rollouts", "adapter_folder"),
)
PATHS_OR_NAMES = (("model", "name"), ("data", "path"), ("data", "held_out_path"))
"""Settings that may also be a name on the hub: they are paths where there is such a file or folder."""


def with_absolute_paths(config: Config) -> Config:
    """Return the config with absolute paths, so that it means the same in another working folder."""
    return _with_paths(config, lambda path: str(path.absolute()))


def with_moved_run(config: Config, run: Path) -> Config:
    """Return the saved config of a run that lies in the folder `run` now; paths inside its old folder are in that."""
    old, new = config.run.folder, run.absolute()
    if old is None or old == new:
        return config
    return _with_paths(config, lambda path: str(new / path.relative_to(old) if path.is_relative_to(old) else path))


def _with_paths(config: Config, change: Callable[[Path], str]) -> Config:
    tree: dict[str, Any] = config.model_dump(mode="json")
    for section, key in (*PATHS, *PATHS_OR_NAMES):
        value = tree[section][key]
        if value is not None and ((section, key) in PATHS or _is_path(value)):
            tree[section][key] = change(Path(value))
    rewards, credit = tree["rewards"], tree["credit"]
    rewards["functions"] = [_with_file(function, change) for function in rewards["functions"]]
    rewards["verifiers"] = {kind: _with_file(function, change) for kind, function in rewards["verifiers"].items()}
    if credit["rule"] not in CREDIT_RULES:
        credit["rule"] = _with_file(credit["rule"], change)
    return Config.model_validate_json(json.dumps(tree), strict=True)


def _is_path(value: str) -> bool:
    return value not in (BUILTIN, TINY) and (Path(value).is_absolute() or Path(value).exists())


def _with_file(function: str, change: Callable[[Path], str]) -> str:
    file, _, name = function.rpartition(":")
    return f"{change(Path(file))}:{name}"
