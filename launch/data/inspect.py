"""`heed data inspect`: how a file is read, and which of its rows would be left out."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from rich.console import Console

from data.dataset_summary import count
from data.preferences import PreferencePair
from data.problems import Problem
from data.reading import read_pairs, read_problems
from data.row_formats import ANSWERS, row_format
from data.sources import read_rows
from launch.data.show import show_pairs, show_prompts, show_table
from rewards.errors import InputError

MAX_REASONS = 10


def inspect_command(source: str) -> dict[str, Any]:
    """Read a file as a run with `data.unreadable=skip` does, and show what it holds.

    Raises InputError when no row can be read.
    """
    unreadable: list[InputError] = []
    rows = [row for _, row in read_rows(source, unreadable=[])]
    has_pairs = bool(rows) and all(name in row for row in rows for name in ANSWERS)
    pairs = read_pairs(source, unreadable=unreadable) if has_pairs else []
    problems = [pair.problem for pair in pairs] or read_problems(source, unreadable=unreadable)
    result = {
        "file": source,
        "formats": dict(Counter(map(row_format, rows)).most_common()),
        "rows": len(problems) + len(unreadable),
        "read": len(problems),
        "pairs": len(pairs),
        "with_constraints": sum(bool(problem.constraints) for problem in problems),
        "with_reference": sum(problem.reference is not None for problem in problems),
        "kinds": count(problems).kinds,
        "left_out": [str(error) for error in unreadable],
    }
    _show(result, problems, pairs)
    return result


def _show(result: dict[str, Any], problems: Sequence[Problem], pairs: Sequence[PreferencePair]) -> None:
    if pairs:
        show_pairs(pairs)
    else:
        show_prompts(problems)
    if result["kinds"]:
        show_table("constraints", result["kinds"])
    formats = ", ".join(f"{name} ({number})" for name, number in result["formats"].items())
    console, left_out = Console(soft_wrap=True), result["left_out"]
    what = "preference pairs, for algorithm=dpo" if pairs else "prompts"
    console.print(f"{result['file']}: {formats}", markup=False, highlight=False)
    console.print(
        f"{result['rows']} rows, of which {result['read']} are read as {what}; {result['with_constraints']} with "
        f"constraints, {result['with_reference']} with a reference",
        highlight=False,
    )
    if left_out:
        console.print(
            f"{len(left_out)} cannot be read: a run ends at the first, or leaves them out with data.unreadable=skip:",
            highlight=False,
        )
        _show_reasons(console, left_out)


def _show_reasons(console: Console, left_out: Sequence[str]) -> None:
    """Print the commonest reasons, and the first row that each was found in."""
    first: dict[str, str] = {}
    for location, _, reason in (line.partition(": ") for line in left_out):
        first.setdefault(reason, location)
    reasons = Counter(line.partition(": ")[2] for line in left_out)
    for reason, number in reasons.most_common(MAX_REASONS):
        console.print(f"  {number}, the first at {first[reason]}: {reason}", markup=False, highlight=False)
    if len(reasons) > MAX_REASONS:
        console.print(f"  and {len(reasons) - MAX_REASONS} further reasons; --json lists every row", highlight=False)
