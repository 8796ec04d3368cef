"""Failures: a page of the answers to a benchmark that did not get the highest score."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rl.common.atomic import write_text
from rl.common.templates import page_environment

MOST = 500
"""Answers on a page."""


def write_failures(
    path: Path, records: Sequence[Mapping[str, Any]], metrics: Mapping[str, Mapping[str, float]], *, title: str
) -> Path:
    """Write one HTML file, without a network, of the answers whose first score is below 1; return its path."""
    failures = [record for record in records if next(iter(record["scores"].values())) < 1.0]
    template = page_environment("rl.evaluation.benchmarks", "page").get_template("failures.html.j2")
    page = template.render(
        title=title, metrics=metrics, failures=failures, total=len(records), shown=min(MOST, len(failures))
    )
    write_text(path, page)
    return path
