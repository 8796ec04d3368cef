"""Checkpoints: consistent cuts of a run, marked complete last; a damaged one is noticed and passed over."""

import errno
import hashlib
import json
import logging
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from rl.common.atomic import write_json
from rl.common.errors import RunFailure, UserError
from rl.rollouts.ledger import LedgerTotals

COMPLETE = "complete.json"
LITTLE = 2**20
"""Bytes; when not even they can be written, a failed save is blamed on the disk."""

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

log = logging.getLogger("heed.checkpoint")


@dataclass(frozen=True, kw_only=True, slots=True)
class GRPOState:
    """What a run needs beyond transformers' own files to go on as if nothing had happened."""

    micro_step: int
    buffered: list[dict[str, Any]] | None
    """TRL's batches still to be trained."""
    ratios: dict[int, Tensor] = field(default_factory=dict)
    """Off-policy ratios of its rows that were visited."""
    ahead: list[dict[str, Any]] = field(default_factory=list)
    """What was sampled for batches to come."""
    totals: LedgerTotals | None = None
    """The ledger's, to be found again after a resume."""


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


def save_state(checkpoint: Path, cut: GRPOState, *, rank: int = 0) -> None:
    """Add what TRL forgets of one rank to a saved checkpoint.

    Without the buffer, a resume inside a generation batch would sample other completions.
    """
    tensors = {
        # TRL's batches share memory (the token count), which safetensors refuses.
        f"{index}/{name}": value.cpu().clone(memory_format=torch.contiguous_format)
        for index, batch in enumerate(cut.buffered or [])
        for name, value in batch.items()
        if isinstance(value, Tensor)
    }
    tensors |= {f"ratios/{row}": ratios.cpu().contiguous() for row, ratios in cut.ratios.items()}
    save_file(tensors, checkpoint / f"cut-{rank}.safetensors")
    state = {
        "micro_step": cut.micro_step,
        "num_buffered": len(cut.buffered or []),
        "ahead": cut.ahead,
        "totals": cut.totals and asdict(cut.totals),
    }
    write_json(checkpoint / f"cut-{rank}.json", state)


def mark_complete(checkpoint: Path) -> None:
    """The last act of a save, when every rank has written: the digest of each file."""
    files = sorted(path for path in checkpoint.rglob("*") if path.is_file() and path.name != COMPLETE)
    digests = {str(path.relative_to(checkpoint)): _digest(path) for path in files}
    write_json(checkpoint / COMPLETE, {"files": digests})


def load_state(checkpoint: Path, device: Any, *, rank: int = 0) -> GRPOState:
    """What `save_state` kept. Raises UserError when the run had fewer ranks then."""
    if not (checkpoint / f"cut-{rank}.json").is_file():
        raise UserError(f"{checkpoint} has nothing for rank {rank}: resume with as many processes as saved it")
    state = json.loads((checkpoint / f"cut-{rank}.json").read_text())
    batches: list[dict[str, Tensor]] = [{} for _ in range(state["num_buffered"])]
    ratios: dict[int, Tensor] = {}
    for key, tensor in load_file(checkpoint / f"cut-{rank}.safetensors").items():
        tensor = tensor.to(device)  # of which safetensors knows fewer names than torch: not cpu:0
        index, _, name = key.partition("/")
        if index == "ratios":
            ratios[int(name)] = tensor
        else:
            batches[int(index)][name] = tensor
    return GRPOState(
        micro_step=state["micro_step"],
        buffered=batches or None,
        ratios=ratios,
        ahead=state["ahead"],
        totals=state["totals"] and LedgerTotals(**state["totals"]),
    )


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
