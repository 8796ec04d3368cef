"""Showing data on the console: a few prompts or pairs, counts, and a progress bar."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from rich.console import Console
from rich.progress import track
from rich.table import Table
from rich.text import Text

from data.preferences import PreferencePair
from data.problems import Problem, user_text

Item = TypeVar("Item")

PREVIEW = 3
"""Prompts or pairs that are shown."""


def progress(items: Iterable[Item], description: str, *, total: int | None = None) -> Iterable[Item]:
    """Yield the items behind a progress bar on stderr."""
    return track(items, description, total=total, console=Console(stderr=True), transient=True)


def show_prompts(problems: Sequence[Problem]) -> None:
    """Print the first prompts, with the passages that state constraints in colour."""
    for problem in problems[:PREVIEW]:
        text = Text(user_text(problem))
        for spec in problem.constraints:
            for start, end in spec.spans:
                text.stylize("bold cyan", start, end)
        Console().print(Text(f"{problem.problem_id}: ", style="dim"), text, Text("\n"), sep="")


def show_pairs(pairs: Sequence[PreferencePair]) -> None:
    """Print the first pairs, each answer with its score."""
    table = Table("prompt", "chosen", "rejected", "differs on", show_lines=True)
    for pair in pairs[:PREVIEW]:
        chosen, rejected = (f"[{answer.score:.2f}] {answer.text}" for answer in (pair.chosen, pair.rejected))
        cells = (user_text(pair.problem), chosen, rejected, "\n".join(pair.differs_on))
        table.add_row(*(Text(cell) for cell in cells))
    Console().print(table)


def show_counts(counts: Mapping[str, Any]) -> None:
    """Print how many problems there are of each kind, level and pattern."""
    for name in ("kinds", "levels", "patterns"):
        show_table(name, counts[name])


def show_table(title: str, rows: Mapping[str, Any]) -> None:
    """Print one line a name and its value."""
    table = Table(title, "", box=None)
    for name, value in rows.items():
        table.add_row(name, str(value))
    Console().print(table)
