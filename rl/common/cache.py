"""Cache: folders that are built once per machine, and complete or absent."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock


def cache_root() -> Path:
    """Return `$HEED_CACHE`, or `~/.cache/heed`."""
    chosen = os.environ.get("HEED_CACHE")
    return Path(chosen).expanduser() if chosen else Path.home() / ".cache" / "heed"


def build_once(name: str, build: Callable[[Path], None]) -> Path:
    """Return the cached folder `name`; if it is missing, `build` fills a temporary folder, which is then renamed.

    One process builds at a time, so what a killed build left under the temporary name is safe to remove.
    """
    final = cache_root() / name
    if final.is_dir():
        return final
    final.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(final.with_name(f".{final.name}.lock")):
        if not final.is_dir():
            _build_and_rename(final, build)
    return final


def _build_and_rename(final: Path, build: Callable[[Path], None]) -> None:
    unfinished = final.with_name(f".{final.name}.unfinished")
    if unfinished.exists():
        shutil.rmtree(unfinished)
    unfinished.mkdir()
    build(unfinished)
    for path in unfinished.rglob("*"):
        if path.is_file():
            _flush_to_disk(path)
    unfinished.rename(final)


def _flush_to_disk(path: Path) -> None:
    # A rename may reach the disk before the data does; after a power cut the folder would then look complete.
    with path.open("rb") as file:
        os.fsync(file.fileno())
