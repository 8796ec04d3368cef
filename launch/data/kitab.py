"""`heed data kitab`: answers to book queries, judged title by title."""

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from data.dataset_summary import ANSWER_COLUMNS
from data.kitab import BookReport, evaluate_books, query_from_row
from data.sources import first_text, read_rows
from rl.common.errors import UserError

SHARES = ("satisfied", "unsatisfied", "irrelevant", "completeness", "all_correct")


def kitab_command(file: Path) -> dict[str, Any]:
    """Judge each row of a file (KITAB's columns, and an answer in `completion` or `response`) and return the means.

    Raises UserError, naming the row, for one that is no query or has no answer, and for an empty file.
    """
    reports = [_report(position, row) for position, row in read_rows(file)]
    if not reports:
        raise UserError(f"{file} holds no rows")
    means = {name: sum(float(getattr(report, name)) for report in reports) / len(reports) for name in SHARES}
    table = Table("", "mean", title=f"{len(reports)} answers, {sum(len(report.items) for report in reports)} titles")
    for name, mean in means.items():
        table.add_row(name.replace("_", " "), f"{mean:.3f}")
    Console().print(table)
    return {"file": str(file), "num_answers": len(reports), **means}


def _report(position: str, row: Any) -> BookReport:
    if not isinstance(row, dict):
        raise UserError(f"{position}: expected an object with KITAB's columns, got {row!r:.100}")
    answer = first_text(row, ANSWER_COLUMNS)
    if answer is None:
        raise UserError(f"{position}: expected an answer in the column {' or '.join(ANSWER_COLUMNS)}")
    try:
        return evaluate_books(answer, query_from_row(row))
    except ValueError as error:
        raise UserError(f"{position}: {error}") from error
