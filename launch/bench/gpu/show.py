"""Printing what the stages measured: a line for each row as it comes, and a table of the stages in the end."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

LOG_LINES = 3
"""What a stage that failed printed last."""
COLOURS = {"passed": "green", "skipped": "dim", "finding": "yellow"}


def verdict(result: Mapping[str, Any]) -> str:
    """Return the stage's outcome in a word or two: what it ended with, and whether it found something."""
    if result["status"] != "done":
        return result["status"]
    return "finding" if result["findings"] else "passed"


def show_stage(console: Console, result: Mapping[str, Any]) -> None:
    """Print a stage's outcome, its rows, the end of its log if it failed, and its findings."""
    word = verdict(result)
    colour = COLOURS.get(word, "red")
    reason = f"  {escape(result['reason'])}" if "reason" in result else ""
    console.print(
        f"[bold]{result['name']}[/bold]  [{colour}]{word}[/{colour}]  {result['seconds']} s{reason}", highlight=False
    )
    for row in result["rows"]:
        console.print("  " + escape(row_text(row)), highlight=False, soft_wrap=True)
    for line in [line for line in result.get("log", []) if line.strip()][-LOG_LINES:]:
        console.print(f"  [dim]{escape(line)}[/dim]", highlight=False, soft_wrap=True)
    for finding in result["findings"]:
        console.print(f"  [yellow]finding:[/yellow] {escape(finding)}", highlight=False, soft_wrap=True)


def row_text(row: Mapping[str, Any]) -> str:
    """Return a row in one line, without what is not there and without its finding, which is printed by itself."""
    shown = {name: value for name, value in row.items() if value is not None and name != "finding"}
    return "  ".join(f"{name} {_text(value)}" for name, value in shown.items())


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_text(item)}" for name, item in value.items())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(map(_text, value))
    return str(value)


def show_summary(console: Console, report: Mapping[str, Any], output: Path) -> None:
    """Print the stages as a table, and where the numbers are."""
    title = "Rehearsal on the CPU" if report["rehearsal"] else None
    table = Table("stage", "outcome", "seconds", "finding", title=title)
    for result in report["stages"]:
        remark = "; ".join(result["findings"]) or result.get("reason", "")
        table.add_row(result["name"], verdict(result), str(result["seconds"]), escape(remark))
    console.print(table)
    console.print(f"Model of the trainings: {report['model']}", highlight=False)
    console.print(f"Numbers: {output}", highlight=False, soft_wrap=True)
