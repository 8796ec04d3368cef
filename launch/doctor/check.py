"""Check: what one inspection of the machine found, and what to do about it."""

from dataclasses import dataclass
from typing import Literal

Level = Literal["pass", "warn", "fail"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """The outcome of one inspection; `fail` will stop a run, `warn` may hurt it.

    Raises ValueError when the level is not `pass` and `fix` is empty.

    Example:
        Check(name="disk", level="warn", finding="3 GB free at runs", fix="free some, or set run.folder elsewhere")
    """

    name: str
    level: Level
    finding: str
    fix: str = ""
    """What the user can do about it."""

    def __post_init__(self) -> None:
        if self.level != "pass" and not self.fix:
            raise ValueError(f"check {self.name} reports {self.finding!r} without a fix")
