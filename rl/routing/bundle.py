"""Bundle: a routed policy as files to be served: plain PEFT adapters, the router and a description."""

import hashlib
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from peft import PeftModel, get_peft_model
from pydantic import ValidationError
from torch import Tensor
from transformers import PreTrainedModel

from data.problems import Problem
from rl.common.atomic import atomic_folder, write_json, write_text
from rl.common.digest import file_digest
from rl.common.errors import UserError
from rl.common.export_folder import export_folder
from rl.config.load import resolved_yaml
from rl.config.model import AdapterConfig
from rl.config.root import Config
from rl.config.routing import MIX, RoutingConfig
from rl.models.lora import check_base, load_earlier, lora_config
from rl.models.saved_adapter import WEIGHTS, load_weights, read_settings, read_weights
from rl.routing.files import load_router, save_router
from rl.routing.mix import weighted_adapter
from rl.routing.route import Route, add_adapters

SCHEMA = 1
DESCRIPTION = "routing.json"


def save_bundle(
    route: Route, folder: Path, config: Config, *, card: str, gates: Tensor, trained_on: Sequence[Problem]
) -> Path:
    """Write `folder/bundle`, completely or not at all.

    `gates` (P, N) are those of the training prompts: their mean gives the weights of the mix.
    """
    final, policy = folder / "bundle", route.policy
    shares = {name: round(value, 6) for name, value in zip(route.names, gates.mean(dim=0).tolist(), strict=True)}
    for settings in policy.peft_config.values():
        settings.base_model_name_or_path = config.model.name
    with atomic_folder(final) as temporary:
        for name in route.names:
            save_one(policy, name, temporary / "adapters" / name)
        with weighted_adapter(policy, shares):
            save_one(policy, MIX, temporary / "adapters" / MIX)
        save_router(policy, temporary)
        write_json(temporary / DESCRIPTION, bundle_description(temporary, config, shares, trained_on))
        write_text(temporary / "README.md", card)
    return final


def save_one(policy: PeftModel, name: str, target: Path) -> None:
    """Write one adapter to `target` in PEFT's layout; PEFT itself would add a folder for some names."""
    policy.save_pretrained(str(target), selected_adapters=[name], save_embedding_layers=False)
    if (inner := target / name).is_dir():
        for file in inner.iterdir():
            file.rename(target / file.name)
        inner.rmdir()
    (target / "README.md").unlink(missing_ok=True)  # PEFT's template; the bundle has its own model card


def bundle_description(
    bundle: Path, config: Config, mean: dict[str, float], trained_on: Sequence[Problem]
) -> dict[str, Any]:
    """Return the content of `routing.json`; digests are SHA-256."""
    start = config.routing.start
    data = "\n".join(sorted(f"{problem.problem_id} {json.dumps(problem.messages)}" for problem in trained_on))
    return {
        "schema": SCHEMA,
        "base_model": config.model.name,
        "chat_template_kwargs": config.model.chat_template_kwargs,
        "adapters": {path.name: adapter_description(path) for path in sorted((bundle / "adapters").iterdir())},
        "lora": config.lora.model_dump(mode="json"),
        "routing": config.routing.model_dump(mode="json"),
        "mean_gates": mean,
        "data_digest": hashlib.sha256(data.encode()).hexdigest(),
        "config_digest": hashlib.sha256(resolved_yaml(config).encode()).hexdigest(),
        "parents": [parent_description(start)] if start is not None and start.exists() else [],  # or removed since
    }


def adapter_description(folder: Path) -> dict[str, Any]:
    settings = read_settings(folder)
    return {
        "rank": settings["r"],
        "alpha": settings["lora_alpha"],
        "target_modules": sorted(settings["target_modules"]),
        "digest": file_digest(folder / WEIGHTS),
    }


def parent_description(bundle: Path) -> dict[str, Any]:
    """Return the entry for a bundle in the description of a bundle that starts from it."""
    description = read_description(bundle_of(bundle))
    digests = {name: one["digest"] for name, one in description["adapters"].items()}
    return {"adapters": digests, "config_digest": description["config_digest"]}


def start_from_bundle(route: Route, bundle: Path, base: str) -> bool:
    """Load the bundle's adapters into those of the same names; return whether the router could be loaded, too.

    Raises UserError for a bundle of another base model, or an adapter with other settings or modules.
    """
    folder = bundle_of(bundle)
    description = read_description(folder)
    check_digests(folder, description)
    check_base(description["base_model"], base, source=f"routing.start={bundle}")
    for name in sorted(set(route.names) & set(description["adapters"])):
        load_earlier(
            route.policy, name, folder / "adapters" / name, source=f"routing.start={bundle}: its adapter {name}"
        )
    theirs: RoutingConfig = description["routing"]
    same = {"adapters", "router", "layer", "heads"}
    if any(getattr(theirs, key) != getattr(route.settings, key) for key in same):
        return False
    load_router(route.policy, folder)
    route.router.requires_grad_(not route.settings.frozen)
    return True


def bundle_of(path: Path) -> Path:
    """Return `path` if it is a bundle, or the bundle in a run folder. Raises UserError when there is none."""
    for folder in (path, path / "bundle"):
        if (folder / DESCRIPTION).is_file():
            return folder
    raise UserError(f"{path} is no bundle: it holds no {DESCRIPTION}; train with routing.adapters")


def read_description(bundle: Path) -> dict[str, Any]:
    """Read `routing.json` and check its settings. Raises UserError when it is damaged or of another schema."""
    path = bundle / DESCRIPTION
    try:
        description = json.loads(path.read_text(encoding="utf-8"))
        schema = description["schema"]
        if schema == SCHEMA:
            settings = {
                "lora": AdapterConfig.model_validate_json(json.dumps(description["lora"])),
                "routing": RoutingConfig.model_validate_json(json.dumps(description["routing"])),
            }
            return {**description, **settings}
    except (ValueError, KeyError, ValidationError) as error:
        raise UserError(f"{path} is damaged: {error}") from error
    raise UserError(f"{path} has schema {schema}; this version of Heed reads {SCHEMA}")


def load_routed(bundle: Path, model: PreTrainedModel) -> Route:
    """Add a bundle's adapters and router to the base model; return the route (`gates`, `applied`, `policy`).

    Raises UserError for a folder that is no bundle, or whose files have changed.
    """
    folder = bundle_of(bundle)
    description = read_description(folder)
    check_digests(folder, description)
    policy = get_peft_model(model, lora_config(description["lora"]))
    assert isinstance(policy, PeftModel)
    route = add_adapters(policy, description["lora"], description["routing"])
    for name in route.names:
        adapter = folder / "adapters" / name
        load_weights(policy, read_weights(adapter), source=adapter, name=name)
    load_router(policy, folder)
    policy.eval()
    return route


def check_digests(folder: Path, description: dict[str, Any]) -> None:
    """Raise UserError unless each adapter has the digest that the description states, and is finite."""
    for name, stated in description["adapters"].items():
        path = folder / "adapters" / name / WEIGHTS
        if not path.is_file():
            raise UserError(f"{folder} has no adapter {name}, which its {DESCRIPTION} names")
        if file_digest(path) != stated["digest"]:
            raise UserError(f"{path} is not the file that {DESCRIPTION} describes; restore it")
        read_weights(path.parent)


def extract_adapter(bundle: Path, name: str, output: Path) -> Path:
    """Copy one adapter out of a bundle, with its lineage. Raises UserError when `output` holds anything else."""
    folder = bundle_of(bundle)
    description = read_description(folder)
    check_name(description, name)
    check_digests(folder, description)
    with export_folder(output, folder) as temporary:
        shutil.copytree(folder / "adapters" / name, temporary, dirs_exist_ok=True)
        write_json(temporary / "lineage.json", adapter_lineage(description, name))
    return output


def adapter_lineage(description: dict[str, Any], name: str) -> dict[str, Any]:
    """Return where an adapter came from: its base model, and the digests of its data and settings."""
    return {
        "adapter": name,
        "base_model": description["base_model"],
        "digest": description["adapters"][name]["digest"],
        "data_digest": description["data_digest"],
        "config_digest": description["config_digest"],
    }


def check_name(description: dict[str, Any], name: str) -> None:
    if name not in description["adapters"]:
        raise UserError(f"the bundle has no adapter {name!r}; it has {', '.join(description['adapters'])}")
