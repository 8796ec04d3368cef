"""Merge: the base model with one adapter of a run or a bundle merged into its weights, as a stand-alone model."""

from pathlib import Path
from typing import Any

from rl.common.atomic import write_json
from rl.common.digest import file_digest
from rl.common.errors import UserError
from rl.common.export_folder import export_folder
from rl.models.load import load_model, load_tokenizer
from rl.models.saved_adapter import SETTINGS, WEIGHTS, adapted, read_settings
from rl.routing.bundle import adapter_lineage, bundle_of, check_digests, check_name, read_description

PLAIN = "default"
"""The adapter of a run without routing."""


def merge_adapter(source: Path, name: str, output: Path) -> Path:
    """Write a model that transformers loads without PEFT, with its tokenizer and the adapter's lineage.

    Raises UserError, before the model is loaded, when there is no such adapter, or `output` holds anything else.
    """
    folder, lineage = _plain_adapter(source, name) if _is_plain(source) else _bundled_adapter(source, name)
    base = lineage["base_model"]
    with export_folder(output, folder.parent.parent) as temporary:  # the run or the bundle
        policy: Any = adapted(load_model(base, device="cpu"), folder)
        merged = policy.merge_and_unload()
        merged.save_pretrained(str(temporary))
        load_tokenizer(base).save_pretrained(str(temporary))
        write_json(temporary / "lineage.json", lineage)
    return output


def _is_plain(run: Path) -> bool:
    return (run / "adapters" / PLAIN / SETTINGS).is_file()


def _plain_adapter(run: Path, name: str) -> tuple[Path, dict[str, Any]]:
    if name != PLAIN:
        raise UserError(f"{run} has no adapter {name!r}; it was trained without routing and has {PLAIN}")
    folder = run / "adapters" / PLAIN
    settings = read_settings(folder)
    digests = {
        key: file_digest(path)
        for key, path in (("digest", folder / WEIGHTS), ("config_digest", run / "config.yaml"))
        if path.is_file()
    }
    return folder, {"adapter": name, "base_model": settings["base_model_name_or_path"], **digests}


def _bundled_adapter(bundle: Path, name: str) -> tuple[Path, dict[str, Any]]:
    folder = bundle_of(bundle)
    description = read_description(folder)
    check_name(description, name)
    check_digests(folder, description)
    return folder / "adapters" / name, adapter_lineage(description, name)
