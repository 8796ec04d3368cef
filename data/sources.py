"""Sources: the raw rows of JSONL, JSON and parquet files and of hub datasets, each with its location."""

import gzip
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rewards.errors import InputError

LocatedRow = tuple[str, Any]
"""A row and its location, such as `train.jsonl:7`."""

SUFFIXES = (".jsonl", ".json", ".parquet")


def read_rows(
    source: str | Path, *, split: str = "train", unreadable: list[InputError] | None = None
) -> Iterator[LocatedRow]:
    """Yield the raw rows of a file or hub dataset, each with its location; text may begin with a byte order mark.

    Raises InputError for a row that cannot be read, or appends it to `unreadable`, if given, and goes on.
    """
    for location, row in _rows(source, split):
        with located(location, unreadable):
            if isinstance(row, _Line):
                row = row.parsed()
            _check(row)
            yield location, row


@contextmanager
def located(location: str, unreadable: list[InputError] | None) -> Iterator[None]:
    """Name the row in what is wrong with it; append that to `unreadable` instead of raising it, if there is a list."""
    try:
        yield
    except ValueError as error:
        named = InputError(f"{location}: {error}")
        if unreadable is None:
            raise named from error
        unreadable.append(named)


class _Line(str):
    """A line of a JSONL file."""

    def parsed(self) -> Any:
        try:
            return json.loads(self)
        except (ValueError, RecursionError) as error:  # ValueError: also a number of thousands of digits
            raise InputError(f"expected one JSON object a line; {error}") from error


def _rows(source: str | Path, split: str) -> Iterator[LocatedRow]:
    path = Path(os.path.expanduser(source))
    kind = Path(path.stem).suffix if path.suffix == ".gz" else path.suffix
    if kind not in SUFFIXES:
        return _hub_rows(str(source), split)
    if not path.is_file():
        raise InputError(f"no data file {path}; expected an existing {', '.join(SUFFIXES)} file or a hub dataset name")
    return {".jsonl": _jsonl_rows, ".json": _json_rows, ".parquet": _parquet_rows}[kind](path)


def _check(row: Any) -> None:
    """Raise InputError for a row that is no object, or whose text no tokenizer and no file can hold."""
    if not isinstance(row, dict):
        raise InputError(f"expected a JSON object with named columns; got {row!r:.100}")
    try:
        json.dumps(row, ensure_ascii=False, default=str).encode()
    except UnicodeEncodeError as error:
        text = error.object[max(0, error.start - 20) : error.end]
        raise InputError(
            f"the text {text!a} ends in half a character (a lone surrogate), as of an emoji that was cut; "
            "write the whole character or leave it out"
        ) from error


def _text(path: Path) -> str:
    raw = path.read_bytes()
    try:
        return (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode("utf-8-sig")
    except (UnicodeDecodeError, gzip.BadGzipFile, EOFError) as error:
        raise InputError(f"{path.name} is not UTF-8 text, or its gzip wrapping is damaged: {error}") from error


def _jsonl_rows(path: Path) -> Iterator[LocatedRow]:
    for number, line in enumerate(_text(path).split("\n"), 1):
        if line.strip():
            yield f"{path.name}:{number}", _Line(line)


def _json_rows(path: Path) -> Iterator[LocatedRow]:
    try:
        rows = json.loads(_text(path))
    except (ValueError, RecursionError) as error:
        line = f":{error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise InputError(f"{path.name}{line}: expected a JSON list of objects; {error}") from error
    if not isinstance(rows, list):
        raise InputError(f"{path.name}: expected a JSON list of objects; got a {type(rows).__name__}")
    for number, row in enumerate(rows, 1):
        yield f"{path.name} row {number}", row


def _parquet_rows(path: Path) -> Iterator[LocatedRow]:
    from pyarrow import ArrowInvalid, parquet

    try:
        rows = parquet.read_table(path).to_pylist()
    except ArrowInvalid as error:
        raise InputError(f"{path.name} is not a readable parquet file: {error}") from error
    for number, row in enumerate(rows, 1):
        yield f"{path.name} row {number}", row


def _hub_rows(name: str, split: str) -> Iterator[LocatedRow]:
    from datasets import load_dataset

    try:
        path, _, config = name.partition(":")
        dataset = load_dataset(path, *([config] if config else []), split=split)
    except OSError as error:  # the hub's own errors, no network included
        raise InputError(
            f"{name!r} is neither a {', '.join(SUFFIXES)} file nor a hub dataset that can be loaded: {error}"
        ) from error
    for number, row in enumerate(dataset, 1):
        yield f"{name}[{split}] row {number}", row


def first_text(row: Any, columns: Sequence[str]) -> str | None:
    """Return the first of the columns that holds a text, or a chat of one message; None if the row has none."""
    cells = (row.get(name) for name in columns) if isinstance(row, dict) else ()
    return next((text for cell in cells if (text := _answer_text(cell)) is not None), None)


def _answer_text(cell: Any) -> str | None:
    match cell:
        case str():
            return cell
        case [{"content": str(content)}]:
            return content
    return None
