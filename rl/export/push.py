"""Push: a verified adapter or bundle with its card, settings and results to a repository of the Hugging Face hub."""

import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import httpx2
from huggingface_hub import HfApi
from huggingface_hub.errors import HFValidationError, LocalTokenNotFoundError, RepositoryNotFoundError

from rl.common.atomic import write_json, write_text
from rl.common.errors import UserError
from rl.config.load import load_run_config, parse_config, resolved_yaml
from rl.config.root import Config
from rl.export.verify import export_run
from rl.models.saved_adapter import SETTINGS, WEIGHTS, read_settings
from rl.routing.bundle import DESCRIPTION, bundle_of
from rl.routing.files import ROUTER_FILE
from rl.runs.adapter import model_card

HUB_ERRORS = (OSError, HFValidationError, LocalTokenNotFoundError, httpx2.HTTPError)
"""What the hub's client raises without a network, a token, the right to write, or for a name that it does not take."""


def push_run(run: Path, repo: str, *, public: bool = False, api: HfApi | None = None) -> dict[str, Any]:
    """Verify a run's adapter, or bundle of adapters and router, and upload it; a new repository is private unless
    `public`.

    Of local paths only the last part goes along. Raises UserError before anything is uploaded when there is no login,
    the repository is public and `public` is not said, or the adapter is not what was trained.
    """
    config = load_run_config(run)
    api = api or HfApi()
    try:
        _check_repository(api, repo, public=public)
        verified = export_run(run)
        with tempfile.TemporaryDirectory(prefix="heed-push-") as scratch:
            files = write_upload(run, config, Path(scratch))
            api.create_repo(repo, private=not public, exist_ok=True)
            api.upload_folder(repo_id=repo, folder_path=scratch, commit_message="Trained by Heed")
    except HUB_ERRORS as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0].split(". ")[0].rstrip(".")
        raise UserError(f"{repo} could not be written on the hub: {reason}; `hf auth login` gives access") from error
    return {**verified, "repository": f"{api.endpoint}/{repo}", "private": not public, "files": files}


def _check_repository(api: HfApi, repo: str, *, public: bool) -> None:
    """Raise UserError for a public repository that was not asked for; the hub's own errors for a login that fails."""
    api.whoami()
    try:
        is_public = not api.model_info(repo).private
    except RepositoryNotFoundError:
        return
    if is_public and not public:
        raise UserError(f"{repo} is public: say --public to publish the adapter there, or name another repository")


def write_upload(run: Path, config: Config, folder: Path) -> list[str]:
    """Write what is uploaded into a folder, without the run's paths; return the names of the files."""
    summary = json.loads((run / "summary.json").read_text(encoding="utf-8"))
    shared = without_paths(config)
    if config.routing.adapters:
        _write_bundle(bundle_of(run), folder, shared)
    else:
        _write_adapter(run / "adapters" / "default", folder, shared)
    write_text(folder / "config.yaml", resolved_yaml(shared))
    write_json(folder / "results.json", summary)
    write_text(folder / "README.md", model_card(shared, summary))
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def _write_adapter(adapter: Path, folder: Path, shared: Config) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(adapter / WEIGHTS, folder / WEIGHTS)
    write_json(folder / SETTINGS, {**read_settings(adapter), "base_model_name_or_path": shared.model.name})


def _write_bundle(bundle: Path, folder: Path, shared: Config) -> None:
    for adapter in sorted((bundle / "adapters").iterdir()):
        _write_adapter(adapter, folder / "adapters" / adapter.name, shared)
    shutil.copyfile(bundle / ROUTER_FILE, folder / ROUTER_FILE)
    write_json(folder / DESCRIPTION, _shared(json.loads((bundle / DESCRIPTION).read_text(encoding="utf-8"))))


def without_paths(config: Config) -> Config:
    """Return the config with the last part of each local path, and no folder of a run."""
    tree = config.model_dump(mode="json")
    plain = {name: tree[name] if name == "trl" else _shared(tree[name]) for name in tree}
    plain["run"]["folder"] = plain["resume"] = None
    return parse_config(plain)


def _shared(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _shared(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_shared(item) for item in value]
    return Path(value).name if isinstance(value, str) and _is_local(value) else value


def _is_local(text: str) -> bool:
    path = text.rpartition(":")[0] if ".py:" in text else text
    return os.sep in path and (path.startswith((os.sep, "~", ".")) or Path(path).exists())


def show_push(result: dict[str, Any]) -> None:
    """Print where the adapter lies now."""
    kind = "private" if result["private"] else "public"
    print(f"{result['repository']} ({kind}): {', '.join(result['files'])}")
