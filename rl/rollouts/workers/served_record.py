"""Record of served adapters: what a killed run has left on the user's servers, so that its next start removes it."""

import json
import logging
import shutil
import tempfile
import uuid
from collections.abc import Sequence
from pathlib import Path

from rl.common.atomic import write_json
from rl.common.errors import RunFailure
from rl.rollouts.vllm_http import BRIEF_SECONDS, ServerLost, VllmServer

log = logging.getLogger("heed.rollouts")


def record_names(folder: Path | None, urls: Sequence[str], adapter_folder: Path | None) -> str:
    """Return how the names of this start's adapters begin, never used before; `folder`, the run's, then says so."""
    names = f"heed-{uuid.uuid4().hex[:12]}"
    if folder is not None:
        files = str((adapter_folder or Path(tempfile.gettempdir())).absolute())
        write_json(folder / f"served-{names}.json", {"names": names, "urls": list(urls), "files": files})
    return names


def remove_recorded(folder: Path) -> list[str]:
    """Have the servers forget the adapters of all earlier starts in a run folder, and remove the adapters' files.

    Returns the names of those that a server had; one that refuses is a warning.
    """
    removed = []
    for path in folder.glob("served-heed-*.json"):
        record = json.loads(path.read_text(encoding="utf-8"))
        removed += [name for url in record["urls"] for name in _unload(url, record["names"])]
        for files in Path(record["files"]).glob(f"{record['names']}-*"):
            shutil.rmtree(files)
        path.unlink()
    if removed:
        log.warning("unloaded what the killed run had left on its servers: %s", ", ".join(removed))
    return removed


def _unload(url: str, names: str) -> list[str]:
    server = VllmServer(url, time_limit=BRIEF_SECONDS)
    try:
        loaded = [name for name in server.adapters() if name.startswith(f"{names}-")]
        for name in loaded:
            server.unload_adapter(name)
        return loaded
    except ServerLost:  # one that is gone has forgotten them
        return []
    except RunFailure as error:
        log.warning("adapters of the killed run, named %s-*, may be left on a server: %s", names, error)
        return []
