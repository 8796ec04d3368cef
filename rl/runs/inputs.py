"""Inputs: the files that a run is made from, which a resume and an evaluation expect as they were at its start."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path

from rl.common.atomic import write_json
from rl.common.digest import file_digest, model_digests
from rl.common.distributed import run_on_main
from rl.common.errors import UserError
from rl.config.load import flat
from rl.config.root import Config
from rl.runs.custom_code import changed_code, save_custom_code

INPUTS = "inputs.json"
"""In the run folder: setting -> file -> SHA-256, for the data and the base model; custom code has copies instead."""

Digests = dict[str, dict[str, str]]
log = logging.getLogger("heed.resume")


def save_inputs(config: Config, folder: Path) -> None:
    """Record the files that the config names in the run folder, and copy custom code; earlier records stay."""
    save_custom_code(config, folder)
    if not (folder / INPUTS).exists():
        write_json(folder / INPUTS, input_digests(config))


def input_digests(config: Config) -> Digests:
    """Return the digests of the data and of a base model in a folder; what comes from the hub is not digested."""
    data = {"data.path": config.data.path, "data.held_out_path": config.data.held_out_path}
    files = {key: Path(name) for key, name in data.items() if name is not None and Path(name).is_file()}
    digests = {key: {str(path): file_digest(path)} for key, path in files.items()}
    model = Path(config.model.name).expanduser()
    if model.is_dir():
        digests["model.name"] = {str(model / name): digest for name, digest in model_digests(model).items()}
    return digests


def check_inputs(config: Config) -> None:
    """Refuse to resume with files that are not what the run was started with. All ranks must call it.

    Raises UserError naming each; changed code is taken with `run.accept_changed_code`, changed data never.
    """
    run_on_main(lambda: None if config.resume is None else _refuse_changes(config, config.resume))


def _refuse_changes(config: Config, folder: Path) -> None:
    lines = []
    if changed := list(changed_files(config, folder)):
        lines += [*changed, "restore them, or start a new run: this one would go on with other problems or weights"]
    if not config.run.accept_changed_code and (changed := list(changed_code(config, folder))):
        advice = "restore it from its copy in {}, or accept the new code with --accept-changed-code"
        lines += [*changed, advice.format(folder / "custom")]
    if lines:
        raise UserError("\n".join(lines))


def changed_files(config: Config, folder: Path) -> Iterator[str]:
    """Yield a sentence for each recorded file of data or base model that differs, is gone or is new."""
    if not (folder / INPUTS).exists():
        return  # a run of an earlier version
    before: Digests = json.loads((folder / INPUTS).read_text(encoding="utf-8"))
    now = input_digests(config)
    for key, then in before.items():
        if key not in now:
            yield f"{key}: there is no {dict(flat(config))[key]} any more"
            continue
        for path in sorted(then.keys() | now[key].keys()):
            was, is_now = then.get(path), now[key].get(path)
            if was is None or is_now is None:
                yield f"{key}: {path} {'is gone since' if is_now is None else 'was not there when'} the run was started"
            elif was != is_now:
                yield (
                    f"{key}: {path} has changed since the run was started (sha256 {was[:12]} then, {is_now[:12]} now)"
                )


def check_evaluated(config: Config, folder: Path, *, own_data: bool) -> None:
    """Warn that a finished run is evaluated by changed code; refuse changed data, unless other is given, or weights.

    Raises UserError naming each file: grown data would hold out problems that the run was trained on.
    """
    for change in changed_code(config, folder):
        log.warning("%s; the answers are judged by the new code", change)
    changes = [line for line in changed_files(config, folder) if own_data or not line.startswith("data.")]
    if changes:
        other = ", or evaluate on other problems with --data" if changes[0].startswith("data.") else ""
        raise UserError("\n".join([*changes, f"restore them{other}"]))
