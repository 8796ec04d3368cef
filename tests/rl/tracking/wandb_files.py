"""What wandb keeps of a run without a network, read back from its file.

The file is a log in blocks of 32 KiB: a header of 7 bytes, then records, each with a checksum (4 bytes), a length (2)
and a type (1: whole, 2: first, 3: middle, 4: last piece).
"""

import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wandb.proto import wandb_internal_pb2

HEADER, BLOCK = 7, 32_768
WHOLE, FIRST, LAST = 1, 2, 4


@dataclass(kw_only=True, slots=True)
class OfflineRun:
    """One offline run: who it is, and what was logged."""

    run_id: str = ""
    project: str = ""
    config: dict[str, Any] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    artifacts: dict[str, dict[str, Path]] = field(default_factory=dict)
    """Name -> its files: the path inside, and where it lies on this machine."""


def read_offline_runs(folder: Path) -> list[OfflineRun]:
    """The runs under a folder, oldest first."""
    files = sorted(folder.rglob("offline-run-*/run-*.wandb"), key=lambda path: (path.stat().st_mtime_ns, path.name))
    return [_read(path) for path in files]


def _read(path: Path) -> OfflineRun:
    run = OfflineRun()
    for raw in _records(path.read_bytes()):
        record = wandb_internal_pb2.Record()
        record.ParseFromString(raw)
        match record.WhichOneof("record_type"):
            case "run":
                run.run_id, run.project = record.run.run_id, record.run.project
                run.config |= {item.key: json.loads(item.value_json) for item in record.run.config.update}
            case "history":
                items = record.history.item
                run.history.append(
                    {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in items}
                )
            case "artifact":
                contents = record.artifact.manifest.contents
                run.artifacts[record.artifact.name] = {entry.path: Path(entry.local_path) for entry in contents}
    return run


def _records(data: bytes) -> Iterator[bytes]:
    assert data[:4] == b":W&B"
    place, pieces = HEADER, b""
    while place + HEADER <= len(data):
        if BLOCK - place % BLOCK < HEADER:
            place += BLOCK - place % BLOCK
            continue
        _, length, kind = struct.unpack("<IHB", data[place : place + HEADER])
        place += HEADER
        piece = data[place : place + length]
        place += length
        pieces = piece if kind in (WHOLE, FIRST) else pieces + piece
        if kind in (WHOLE, LAST):
            yield pieces
