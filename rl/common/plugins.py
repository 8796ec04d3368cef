"""Plugins: the user's functions and files, named by path in the config and copied into the run folder."""

import shutil
import traceback
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

from rewards.python_file import load_python_file
from rl.common.errors import UserError

CUSTOM = "custom"
"""Folder of a run that holds the copies."""


def load_function(reference: str, *, key: str) -> Callable[..., Any]:
    """Load the function named by `path/to/file.py:function`.

    Raises UserError, naming the setting `key`, when the file or the function is missing, or the file cannot be loaded.
    """
    path, _, name = reference.rpartition(":")
    if not Path(path).is_file():
        raise UserError(f"{key}: no file {path!r} for {reference!r}; write path/to/file.py:function")
    try:
        module = load_python_file(Path(path))
    except Exception as error:
        raise UserError(f"{key}: {path} could not be loaded: {_reason(error, Path(path))}") from error
    if not callable(getattr(module, name, None)):
        raise UserError(f"{key}: {path} has no function {name!r}")
    return getattr(module, name)


def _reason(error: Exception, path: Path) -> str:
    """Say in a line what an error in a user's file is, and in which of its lines."""
    lines = [
        frame.lineno for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename) == path.resolve()
    ]
    line = error.lineno if isinstance(error, SyntaxError) else (lines or [None])[-1]
    said = " ".join((error.msg if isinstance(error, SyntaxError) else str(error)).split())
    return f"{type(error).__name__}: {said}" + ("" if line is None else f" (line {line})")


def copy_into_run(path: Path, folder: Path, *, key: str) -> Path:
    """Return the run folder's newest copy of a file; make one if there is none, so that a resumed run has it.

    Raises UserError, naming the setting `key`, when there is neither file nor copy.
    """
    copy = newest_copy(path, folder)
    if copy is None and not path.is_file():
        raise UserError(f"{key}: there is no file {str(path)!r}")
    return copy or add_copy(path, folder)


def newest_copy(path: Path, folder: Path) -> Path | None:
    """Return the run folder's newest copy of a file, or None when it has none."""
    newest = None
    for copy in _copies(path, folder):
        if not copy.is_file():
            return newest
        newest = copy


def add_copy(path: Path, folder: Path) -> Path:
    """Copy a file into the run folder, beside its older copies."""
    copy = next(copy for copy in _copies(path, folder) if not copy.exists())
    copy.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, copy)
    return copy


def _copies(path: Path, folder: Path) -> Iterator[Path]:
    """Yield the names that copies take in turn: `a__mine.py`, `a__mine.2.py`, `a__mine.3.py`, ..."""
    # The whole path is in the name: two files of one name may lie in different folders.
    name = Path(str(path).strip("/.").replace("/", "__"))
    yield folder / CUSTOM / name
    yield from (folder / CUSTOM / f"{name.stem}.{number}{name.suffix}" for number in count(2))
