"""Writing: saves rows as a JSONL or parquet file that is either complete or absent."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rewards.errors import InputError


def write_rows(rows: Sequence[Mapping[str, Any]], path: str | Path) -> Path:
    """Write rows as .jsonl or .parquet beside the target, then rename: a killed run leaves no half file.

    Raises InputError for another suffix or no rows.
    """
    path = Path(path)
    if path.suffix not in (".jsonl", ".parquet"):
        raise InputError(f"cannot write {path}; expected a name that ends in .jsonl or .parquet")
    if not rows:
        raise InputError(f"no rows to write to {path}")
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        (_write_jsonl if path.suffix == ".jsonl" else _write_parquet)(rows, partial)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
    return path


def _write_jsonl(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    with path.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
        file.flush()
        os.fsync(file.fileno())


def _write_parquet(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    from pyarrow import Table, parquet

    parquet.write_table(Table.from_pylist([dict(row) for row in rows]), path)
