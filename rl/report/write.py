"""The report's file: what is shown of the runs, put into one page."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from rl.atomic import write_text
from rl.models import load_tokenizer
from rl.report.answers import column_names, shown_answers
from rl.report.curves import Curve, curves, heading, kind_tables
from rl.report.findings import findings
from rl.report.rollouts import Spans, shown_groups
from rl.report.run import RecordedRun, read_run
from rl.spans import completion_spans


def report_command(run: Path, other: Path | None = None, output: Path | None = None) -> Path:
    """Body of `heed report`: read one or two run folders, write the page and return where it lies.

    Raises FileNotFoundError for a folder that holds no run, ValueError when its model's tokenizer cannot be loaded.
    """
    runs = [read_run(folder) for folder in (run, other) if folder is not None]
    spans = [partial(completion_spans, load_tokenizer(recorded.config.model.name)) for recorded in runs]
    name = "report.html" if other is None else f"report-beside-{runs[1].name}.html"
    return write_report(runs, spans, output or run / name)


def write_report(runs: Sequence[RecordedRun], spans: Sequence[Spans], path: Path) -> Path:
    """Write the page about the runs; `spans` places each run's tokens in its texts."""
    write_text(path, render(list(runs), list(spans)))
    return path


def render(runs: list[RecordedRun], spans: list[Spans]) -> str:
    """The page as HTML: one file, its data, styles and scripts inside."""
    environment = Environment(
        loader=PackageLoader("rl.report", "page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["signed"] = "{:+.3f}".format
    return environment.get_template("report.html.j2").render(
        runs=runs,
        findings=[findings(run) for run in runs],
        settings=setting_rows(runs),
        answer_columns=column_names(runs),
        data=as_json(page_data(runs, spans)),
        file=lambda name: Markup(files("rl.report").joinpath("page", name).read_text(encoding="utf-8")),
    )


def page_data(runs: list[RecordedRun], spans: list[Spans]) -> dict[str, Any]:
    """What the page's scripts draw."""
    return {
        "runs": [_run_data(run, place) for run, place in zip(runs, spans, strict=True)],
        "answers": {"columns": column_names(runs), "rows": shown_answers(runs)},
    }


def _run_data(run: RecordedRun, spans: Spans) -> dict[str, Any]:
    return {
        "name": run.name,
        "steps": run.last_step,
        "curves": [_curve_data(curve) for curve in curves(run.metrics)],
        "kinds": {figure: [asdict(row) for row in rows] for figure, rows in kind_tables(run.metrics).items()},
        "groups": shown_groups(run.rollouts, spans),
        "recorded_steps": len({record["step"] for record in run.rollouts}),
        "held_out": run.summary,
    }


def _curve_data(curve: Curve) -> dict[str, Any]:
    under, order = heading(curve.name)
    return {**asdict(curve), "heading": under, "order": order}


def setting_rows(runs: list[RecordedRun]) -> list[tuple[str, list[str], bool]]:
    """Every setting: its dotted key, its value in each run, and whether the runs differ in it."""
    columns = [dict(_flat(run.config.model_dump(mode="json"))) for run in runs]
    keys = list(dict.fromkeys(key for column in columns for key in column))
    rows = [(key, [json.dumps(column.get(key)) for column in columns]) for key in keys]
    return [(key, values, len(set(values)) > 1) for key, values in rows]


def _flat(tree: dict[str, Any], prefix: str = ""):
    for name, value in tree.items():
        if isinstance(value, dict) and value:
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def as_json(value: Any) -> Markup:
    """JSON that may stand in a script element: no "</script>" ends it, and no NaN breaks it."""
    text = json.dumps(compact(value), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c"))


def compact(value: Any) -> Any:
    """The same nested value, floats to five digits and None where they are not finite."""
    match value:
        case dict():
            return {name: compact(item) for name, item in value.items()}
        case list() | tuple():
            return [compact(item) for item in value]
        case float():
            return float(f"{value:.5g}") if math.isfinite(value) else None
        case _:
            return value
