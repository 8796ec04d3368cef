"""A check's outcome: what was looked at, what was found, and what to do about it."""

from dataclasses import dataclass
from typing import Literal

Level = Literal["pass", "warn", "fail"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """`fail` will stop a run, `warn` may hurt it.

    Raises ValueError when a finding that is no pass says nothing of its cure.

    Example:
        Check(name="disk", level="warn", found="3 GB free at runs", fix="free some, or set run.folder elsewhere")
    """

    name: str
    level: Level
    found: str
    fix: str = ""

    def __post_init__(self) -> None:
        if self.level != "pass" and not self.fix:
            raise ValueError(f"check {self.name} found {self.found!r} without saying what to do about it")
