"""JSONL files: one JSON object a line for each optimizer step; a kill costs one line, and a resume rewinds them."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rl.common.atomic import write_text
from rl.common.errors import UserError


class JsonlFile:
    """Appends JSON objects, each with the optimizer `step` it belongs to, as lines of a file."""

    def __init__(self, path: Path):
        self.path = path

    def append(self, *records: dict[str, Any]) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(_lines(records))

    def rewind(self, step: int) -> None:
        """Remove the records of later steps, and a last line that a kill cut short."""
        if self.path.exists():
            write_text(self.path, _lines(record for record in read_jsonl(self.path) if record["step"] <= step))


def _lines(records: Iterable[dict[str, Any]]) -> str:
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)


def read_jsonl(path: Path) -> list[dict[str, Any]]:
    """Read a file's complete lines; return none if it does not exist. A last line that was cut short is left out.

    Raises UserError on any other line that is not JSON.
    """
    if not path.exists():
        return []
    # Bytes: a kill may cut inside a character, and str.splitlines would split at U+2028 inside a text.
    *lines, _cut_short = path.read_bytes().split(b"\n")
    records = []
    for number, line in enumerate(lines, start=1):
        try:
            records.append(json.loads(line))
        except json.JSONDecodeError as error:
            raise UserError(f"{path}:{number}: not JSON ({error.msg})") from error
    return records
