"""Checkpoints: consistent cuts of a run, marked complete last; a damaged one is noticed and passed over."""

import errno
import hashlib
import json
import logging
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rl.common.atomic import write_json
from rl.common.errors import RunFailure, UserError

COMPLETE = "complete.json"
LITTLE = 2**20
"""Bytes; when not even they can be written, a failed save is blamed on the disk."""

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

log = logging.getLogger("heed.checkpoint")


def newest_checkpoint(folder: Path) -> Path | None:
    """The newest whole checkpoint of a run folder, or None; each damaged one on the way is logged."""
    complete = sorted((path.parent for path in folder.glob(f"checkpoint-*/{COMPLETE}")), key=checkpoint_step)
    for checkpoint in reversed(complete):
        damage = find_damage(checkpoint)
        if damage is None:
            return checkpoint
        log.warning("%s is damaged (%s); falling back to the one before it", checkpoint, damage)
    return None


def checkpoint_step(checkpoint: Path) -> int:
    """The optimizer step that a `checkpoint-N` folder was written at."""
    return int(checkpoint.name.removeprefix("checkpoint-"))


def resume_point(run: Path) -> Path:
    """The checkpoint to resume `run` from. Raises UserError when there is none."""
    checkpoint = newest_checkpoint(run)
    if checkpoint is None:
        found = sorted(path.name for path in run.glob("checkpoint-*")) if run.is_dir() else []
        state = f"it holds only unfinished or damaged ones: {', '.join(found)}" if found else "it holds none"
        raise UserError(
            f"resume={run}: no complete checkpoint ({state}); start again without resume, in a folder of its own"
        )
    return checkpoint


def find_damage(checkpoint: Path) -> str | None:
    """What is wrong with a checkpoint that was complete once; None when every file is as it was written."""
    try:
        files = json.loads((checkpoint / COMPLETE).read_text())["files"]
    except (ValueError, KeyError):
        return f"{COMPLETE} is unreadable"
    for name, digest in files.items():
        if not (checkpoint / name).is_file():
            return f"{name} is missing"
        if _digest(checkpoint / name) != digest:
            return f"{name} has changed since it was written"
    return None


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def mark_complete(checkpoint: Path) -> None:
    """The last act of a save, when every rank has written: the digest of each file."""
    files = sorted(path for path in checkpoint.rglob("*") if path.is_file() and path.name != COMPLETE)
    digests = {str(path.relative_to(checkpoint)): _digest(path) for path in files}
    write_json(checkpoint / COMPLETE, {"files": digests})


def remove_old(run: Path, keep: int) -> None:
    """Delete all but the newest `keep` complete checkpoints, and the unfinished ones older than those.

    Done here, after the newest is complete: transformers deletes before, and a kill in between would leave none.
    """
    complete = sorted((path.parent for path in run.glob(f"checkpoint-*/{COMPLETE}")), key=checkpoint_step)
    if len(complete) < keep:
        return
    oldest = checkpoint_step(complete[-keep])
    for folder in run.glob("checkpoint-*"):
        if checkpoint_step(folder) < oldest:
            (folder / COMPLETE).unlink(missing_ok=True)  # a kill half-way must not leave it looking whole
            shutil.rmtree(folder)


@contextmanager
def saving(checkpoint: Path) -> Iterator[None]:
    """A checkpoint that cannot be written is removed, so that its space is free, and a full disk is called so.

    Raises RunFailure for a full disk; torch and safetensors have names of their own for it.
    """
    try:
        yield
    except Exception as error:
        full = (isinstance(error, OSError) and error.errno in NO_ROOM) or not _has_room(checkpoint.parent)
        shutil.rmtree(checkpoint, ignore_errors=True)
        if not full:
            raise
        raise RunFailure(
            f"the disk is full: {checkpoint.name} could not be written to {checkpoint.parent} ({error}); free some "
            "space, or lower trainer.save_total_limit"
        ) from error


def _has_room(folder: Path) -> bool:
    """A quota does not show in the disk's free bytes, so a little is written to find out."""
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(LITTLE))
            file.flush()
    except OSError as error:
        if error.errno in NO_ROOM:
            return False
        raise
    return True
