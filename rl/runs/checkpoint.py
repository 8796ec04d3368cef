"""Checkpoints: marked complete after the last file is written, checked file by file before they are resumed from."""

import errno
import json
import logging
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rl.common.atomic import write_json
from rl.common.digest import file_digest
from rl.common.errors import RunFailure, UserError

COMPLETE = "complete.json"
"""A checkpoint's last file: the SHA-256 of every other."""
ROOM_BYTES = 2**20
"""When not even so much can be written, a failed save is blamed on the disk."""
DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

log = logging.getLogger("heed.checkpoint")


def checkpoint_step(checkpoint: Path) -> int:
    """Return the optimizer step at which a `checkpoint-N` folder was written."""
    return int(checkpoint.name.removeprefix("checkpoint-"))


def newest_checkpoint(folder: Path) -> Path | None:
    """Return a run folder's newest complete and undamaged checkpoint, or None; log the damaged ones passed over."""
    for checkpoint in reversed(_complete_checkpoints(folder)):
        damage = find_damage(checkpoint)
        if damage is None:
            return checkpoint
        log.warning("%s is damaged (%s); falling back to the one before it", checkpoint, damage)
    return None


def resume_point(run: Path) -> Path:
    """Return the checkpoint to resume `run` from. Raises UserError when there is none."""
    checkpoint = newest_checkpoint(run)
    if checkpoint is None:
        names = sorted(path.name for path in run.glob("checkpoint-*")) if run.is_dir() else []
        state = f"it holds only unfinished or damaged ones: {', '.join(names)}" if names else "it holds none"
        raise UserError(
            f"resume={run}: no complete checkpoint ({state}); start again without resume, "
            "in another folder or with --or-resume, which moves this one aside"
        )
    return checkpoint


def find_damage(checkpoint: Path) -> str | None:
    """Say which file of a complete checkpoint is missing or changed; None when all are as they were written."""
    try:
        digests = json.loads((checkpoint / COMPLETE).read_text())["files"]
    except (ValueError, KeyError):
        return f"{COMPLETE} is unreadable"
    for name, digest in digests.items():
        if not (checkpoint / name).is_file():
            return f"{name} is missing"
        if file_digest(checkpoint / name) != digest:
            return f"{name} has changed since it was written"
    return None


def mark_complete(checkpoint: Path) -> None:
    """Write the digest of each file of a checkpoint, after every rank has written its files."""
    files = sorted(path for path in checkpoint.rglob("*") if path.is_file() and path.name != COMPLETE)
    digests = {str(path.relative_to(checkpoint)): file_digest(path) for path in files}
    write_json(checkpoint / COMPLETE, {"files": digests})


def remove_old(run: Path, keep: int) -> None:
    """Delete all but the newest `keep` complete checkpoints, and the unfinished ones older than those.

    To be called once the newest is complete. transformers deletes before that, and a kill in between leaves none.
    """
    complete = _complete_checkpoints(run)
    if len(complete) < keep:
        return
    oldest = checkpoint_step(complete[-keep])
    for checkpoint in run.glob("checkpoint-*"):
        if checkpoint_step(checkpoint) < oldest:
            (checkpoint / COMPLETE).unlink(missing_ok=True)  # so that a kill half-way leaves it visibly unfinished
            shutil.rmtree(checkpoint)


def _complete_checkpoints(run: Path) -> list[Path]:
    return sorted((path.parent for path in run.glob(f"checkpoint-*/{COMPLETE}")), key=checkpoint_step)


@contextmanager
def saving(checkpoint: Path) -> Iterator[None]:
    """Remove a checkpoint that could not be written in the block, so that it takes no space.

    Raises RunFailure for a full disk, whatever torch or safetensors call that.
    """
    try:
        yield
    except Exception as error:
        full = (isinstance(error, OSError) and error.errno in DISK_FULL) or not _has_room(checkpoint.parent)
        shutil.rmtree(checkpoint, ignore_errors=True)
        if not full:
            raise
        raise RunFailure(
            f"the disk is full: {checkpoint.name} could not be written to {checkpoint.parent} ({error}); free some "
            "space, or lower trainer.save_total_limit"
        ) from error


def _has_room(folder: Path) -> bool:
    """Find out by writing a little: a quota does not show in the disk's free bytes."""
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(ROOM_BYTES))
            file.flush()
    except OSError as error:
        if error.errno in DISK_FULL:
            return False
        raise
    return True
