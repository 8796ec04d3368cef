"""Journals: files of JSON lines that survive a kill, and forget what a resumed run will do again."""

import json
from pathlib import Path
from typing import Any

from rl.common.atomic import write_text
from rl.common.errors import UserError


class JsonlFile:
    """Appends one JSON object a line; each has the optimizer `step` it belongs to."""

    def __init__(self, path: Path):
        self.path = path

    def append(self, *lines: dict[str, Any]) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))

    def rewind(self, step: int) -> None:
        """Keep the whole lines up to `step`; a line that a kill cut short goes too."""
        if self.path.exists():
            kept = [line for line in read_jsonl(self.path) if line["step"] <= step]
            write_text(self.path, "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in kept))


def read_jsonl(path: Path) -> list[dict[str, Any]]:
    """The whole lines of a journal, none if it was never written; only the last may be cut short.

    Raises UserError on any other bad line.
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
