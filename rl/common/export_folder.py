"""Export folder: what the user names is replaced only if Heed wrote it, or it is no file that the command reads."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rl.common.atomic import atomic_folder, write_json
from rl.common.errors import UserError

MARK = ".heed-files.json"
"""The file in an export folder that lists what Heed wrote there: the size and time of each file."""


@contextmanager
def export_folder(output: Path, source: Path) -> Iterator[Path]:
    """Yield a temporary path to write a folder to; after the block it is at `output`, with its mark.

    Raises UserError, before the block, when `output` holds anything but an earlier export, or is or holds `source`.
    """
    check_replaceable(output, source)
    final = output.resolve()  # `.` and `..` have no name to put a temporary folder beside
    final.parent.mkdir(parents=True, exist_ok=True)
    with atomic_folder(final) as temporary:
        yield temporary
        write_json(temporary / MARK, list_files(temporary))
        check_replaceable(output, source)  # somebody may have put a file there meanwhile


def check_replaceable(output: Path, source: Path) -> None:
    """Raise UserError unless `output` is absent, empty or an unchanged export of Heed's, and apart from `source`."""
    if reason := _reason_to_keep(output, source.resolve()):
        raise UserError(f"cannot write to {output}: it {reason}; name a folder that is empty or does not exist yet")


def _reason_to_keep(output: Path, source: Path) -> str | None:
    if output.is_symlink():
        return f"is a symbolic link to {output.readlink()}"
    if not output.exists():
        return None
    if not output.is_dir():
        return "is a file"
    final = output.resolve()
    if final == source or final in source.parents:
        return f"holds {source}, which is to be exported"
    if Path.cwd().is_relative_to(final):
        return "is or holds the folder that this command runs in"
    if names := foreign_files(final):
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        return f"holds {', '.join(names[:3])}{more}, which no export wrote or which changed since"
    return None


def check_apart(output: Path, *inputs: str | Path | None) -> None:
    """Raise UserError when the file to be written is one of the files to be read; what is None or no file is apart."""
    for path in inputs:
        if path is not None and output.exists() and Path(path).exists() and output.samefile(path):
            raise UserError(f"cannot write to {output}: it is {path}, which is read; name another file")


def foreign_files(folder: Path) -> list[str]:
    """Return the files of a folder that its mark does not list, or not as they are now; without a mark, all."""
    try:
        listed = json.loads((folder / MARK).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        listed = None
    if not isinstance(listed, dict):
        return sorted(path.name for path in folder.iterdir())
    return [name for name, state in list_files(folder).items() if listed.get(name) != state]


def list_files(folder: Path) -> dict[str, list[int]]:
    """Return the size and modification time of every file in a folder but the mark, by its relative path."""
    files = sorted(path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir())
    states = {path.relative_to(folder).as_posix(): path.lstat() for path in files}
    return {name: [state.st_size, state.st_mtime_ns] for name, state in states.items() if name != MARK}
