"""Plugins: the user's files that a config names by path; the run folder keeps a copy and uses that from then on."""

import importlib.util
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rl.common.errors import UserError

COPIES = "own"
"""Subfolder of a run folder that holds the copies."""


def load_function(reference: str, *, key: str) -> Callable[..., Any]:
    """Load the function `path/to/file.py:function`. Raises UserError, naming the `key`, when either is missing."""
    path, _, name = reference.rpartition(":")
    if not Path(path).is_file():
        raise UserError(f"{key}: no file {path!r} for {reference!r}; write path/to/file.py:function")
    spec = importlib.util.spec_from_file_location(Path(path).stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if not callable(getattr(module, name, None)):
        raise UserError(f"{key}: {path} has no function {name!r}")
    return getattr(module, name)


def flat_name(path: Path) -> str:
    """Return a file name made of the whole path, since files in different folders may have the same name."""
    return str(path).strip("/.").replace("/", "__")


def copy_into_run(path: Path, folder: Path, *, key: str) -> Path:
    """Return the run folder's copy of a file, made now if there is none: a resumed run uses what it began with.

    Raises UserError, naming the `key`, when there is neither file nor copy.
    """
    copy = folder / COPIES / flat_name(path)
    if not copy.is_file():
        if not path.is_file():
            raise UserError(f"{key}: there is no file {str(path)!r}")
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
    return copy
