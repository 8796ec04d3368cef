"""Loading a config: a YAML recipe, then dotted overrides, checked as a whole."""

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import ValidationError
from yaml import YAMLError

from rl.common.errors import UserError
from rl.config.environment import with_variables
from rl.config.errors import error_messages
from rl.config.paths import with_absolute_paths, with_moved_run
from rl.config.root import Config
from rl.config.types import Section

RESUMABLE = frozenset(
    {
        "distributed.cpus",
        "distributed.gpus",
        "distributed.launcher",
        "distributed.nodes",
        "distributed.restarts",
        "resume",
        "rollouts.adapter_folder",
        "rollouts.address",
        "rollouts.cpus",
        "rollouts.gpus",
        "rollouts.max_dropped",
        "rollouts.object_store_mb",
        "rollouts.resources",
        "rollouts.start_limit",
        "rollouts.time_limit",
        "rollouts.tries",
        "rollouts.url",
        "rollouts.vllm.gpu_memory_utilization",
        "rollouts.vllm.kv_cache_memory_bytes",
        "rollouts.vllm.max_model_len",
        "rollouts.workers",
        "run.accept_changed_code",
        "run.grace",
        "run.rebuild_ledger",
        "trainer.max_steps",
        "trainer.num_train_epochs",
        "trainer.save_steps",
        "trainer.save_total_limit",
        "tracking.project",
        "tracking.report_to",
    }
)
"""Settings that may change when a run is resumed: its length, where it runs and its trackers."""

LARGEST_WHOLE = 2**53
"""From here on a float no longer tells one whole number from the next."""

Tree = dict[str, Any]


def load_config(recipe: Path, overrides: Sequence[str] = ()) -> Config:
    """Return the config of the YAML file `recipe` with `key.key=value` overrides.

    With `resume=RUN` the run's own `config.yaml` is the base, and only the keys in `RESUMABLE` may differ from it.
    Raises UserError naming every wrong key, one a line; FileNotFoundError for a missing run.
    """
    tree = _merged(with_variables(_read_yaml(recipe)), _override_tree(overrides))
    run = tree.get("resume")
    return _resumed(_in_home(run), tree) if isinstance(run, str) else parse_config(tree)


def load_resumed(run: Path, overrides: Sequence[str] = ()) -> Config:
    """Return the config that continues the run in the folder `run`, with `key.key=value` overrides.

    Raises FileNotFoundError when the folder holds no run, and UserError for a setting that a resume may not change.
    """
    return _resumed(str(run), _override_tree(overrides) | {"resume": str(run)})


def resumed_as(config: Config, run: Path) -> Config:
    """Return the config that continues the run in the folder `run` with the settings of `config`.

    Raises UserError naming each setting, but the folder, that a resume may not change.
    """
    saved = with_moved_run(load_run_config(run), run)
    asked = config.run.model_copy(update={"folder": saved.run.folder})
    resumed = config.model_copy(update={"resume": run, "run": asked})
    _refuse_changes(saved, resumed, run=str(run))
    return resumed


def _resumed(run: str, changes: Tree) -> Config:
    saved = with_moved_run(load_run_config(Path(run)), Path(run))
    resumed = parse_config(_merged(saved.model_dump(mode="json"), changes))
    _refuse_changes(saved, resumed, run=run)
    return resumed


def load_run_config(run: Path) -> Config:
    """Return the config that a run was started with. Raises FileNotFoundError for a folder without one."""
    path = run / "config.yaml"
    if not path.is_file():
        raise FileNotFoundError(f"{run} is not a run folder: it has no config.yaml")
    try:
        return parse_config(_read_yaml(path))
    except ValueError as error:
        raise UserError(f"{path} does not fit this version of Heed:\n{error}") from error


def parse_config(tree: Mapping[str, Any]) -> Config:
    """Return the config of a tree of plain values. Raises UserError naming every wrong key, one a line."""
    # Strict JSON takes a list for a tuple, but neither "3" for a whole number nor "yes" for true.
    plain = {key: value if key == "trl" else _each(_whole, value) for key, value in _each(_in_home, dict(tree)).items()}
    try:
        return Config.model_validate_json(json.dumps(plain), strict=True)
    except ValidationError as error:
        raise UserError("\n".join(error_messages(error))) from None


def with_overrides(config: Config, overrides: Sequence[str]) -> Config:
    """Return the config with `key.key=value` overrides. Raises UserError as `load_config` does."""
    return parse_config(_merged(config.model_dump(mode="json"), _override_tree(overrides)))


def resolved_yaml(config: Config) -> str:
    """Return every setting as YAML that loads back to an equal config."""
    return OmegaConf.to_yaml(OmegaConf.create(config.model_dump(mode="json")))


def _read_yaml(path: Path) -> Tree:
    try:
        return _plain(OmegaConf.create(path.read_text(encoding="utf-8-sig") or "{}"))
    except (YAMLError, OmegaConfBaseException, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not a YAML file of settings: {_on_one_line(error)}") from error


def _override_tree(overrides: Sequence[str]) -> Tree:
    tree: Tree = {}
    for override in overrides:
        key, equals, _ = override.partition("=")
        if not equals or not all(key.split(".")):
            raise UserError(f"override {override!r} should look like trainer.learning_rate=1e-5")
        try:
            tree = _merged(tree, _plain(OmegaConf.from_dotlist([override])))
        except (YAMLError, OmegaConfBaseException) as error:
            raise UserError(f"override {override!r} has a value that is not YAML: {_on_one_line(error)}") from error
    return tree


def _plain(tree: DictConfig | ListConfig) -> Tree:
    plain = OmegaConf.to_container(tree, resolve=False)
    if not isinstance(plain, dict):
        raise OmegaConfBaseException("expected groups of settings such as trainer:, got a list")
    return {str(key): value for key, value in plain.items()}


def _each(change: Callable[[Any], Any], value: Any) -> Any:
    """Return the value with every text and number in it changed."""
    if isinstance(value, dict):
        return {key: _each(change, item) for key, item in value.items()}
    if isinstance(value, list):
        return [_each(change, item) for item in value]
    return change(value)


def _in_home(value: Any) -> Any:
    """Return a path with the home folder for its `~`."""
    return os.path.expanduser(value) if isinstance(value, str) and value.startswith("~/") else value


def _whole(value: Any) -> Any:
    """Return 3 for 3.0, which a calculation makes of a whole number."""
    is_whole = isinstance(value, float) and value.is_integer() and abs(value) < LARGEST_WHOLE
    return int(value) if is_whole else value


def _merged(base: Tree, change: Tree) -> Tree:
    """Return `base` with the sections of `change` merged in and its other values replaced; neither is changed."""
    return base | {
        key: _merged(base[key], value) if isinstance(value, dict) and isinstance(base.get(key), dict) else value
        for key, value in change.items()
    }


def _on_one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def _refuse_changes(saved: Config, resumed: Config, *, run: str) -> None:
    before, after = (dict(flat(with_absolute_paths(config))) for config in (saved, resumed))
    changed = [key for key in before if before[key] != after[key] and key not in RESUMABLE]
    if changed:
        lines = [f"{key}: the run has {before[key]!r}, not {after[key]!r}" for key in changed]
        allowed = ", ".join(sorted(RESUMABLE - {"resume"}))
        lines.append(f"A resumed run may change only {allowed}; `heed resume {run}` keeps its settings")
        raise UserError("\n".join(lines))


def flat(section: Section) -> Iterator[tuple[str, object]]:
    """Yield (dotted key, plain value) of every setting; a value that is a mapping stays together."""
    for name, value in section.model_dump(mode="json").items():
        below = getattr(section, name)
        if isinstance(below, Section):
            yield from ((f"{name}.{key}", value) for key, value in flat(below))
        else:
            yield name, value
