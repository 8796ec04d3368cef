"""Report file: the runs' data, styles and scripts put into one HTML page."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any

from markupsafe import Markup

from rl.common.atomic import write_text
from rl.common.templates import page_environment
from rl.config.load import flat
from rl.credit.colors import BLUE, ORANGE, SMALLEST_REACH, STRONGEST
from rl.models.load import configured_tokenizer
from rl.models.tokenization import completion_spans
from rl.report.answers import answer_rows, column_names
from rl.report.arm import Arm, difference, group_into_arms
from rl.report.curves import Curve, curves, heading, kind_tables
from rl.report.findings import arm_findings
from rl.report.rollout_summary import rollout_summary
from rl.report.rollouts import Spans, select_groups
from rl.report.run import RecordedRun, read_run


def report_command(folders: Sequence[Path], output: Path | None = None) -> Path:
    """Run `heed report`: read the run folders, write the page and return its path.

    Runs that differ in their seeds only are one arm. Raises FileNotFoundError for a folder that holds no run, and
    UserError for more than two arms, for a run given twice, and for a model whose tokenizer cannot be loaded.
    """
    arms = group_into_arms([read_run(folder) for folder in folders])
    spans = [partial(completion_spans, configured_tokenizer(arm.first.config.model)) for arm in arms]
    others = [arm.first.name for arm in arms[1:]] or [run.name for run in arms[0].runs[1:2]]
    name = "-vs-".join(["report", *others])
    return write_report(arms, spans, output or folders[0] / f"{name}.html")


def write_report(arms: Sequence[Arm], spans: Sequence[Spans], path: Path) -> Path:
    """Write the page about one or two arms; `spans` holds a function per arm that places tokens in their text."""
    write_text(path, render(list(arms), list(spans)))
    return path


def render(arms: list[Arm], spans: list[Spans]) -> str:
    """Return the page as HTML, with its data, styles and scripts inside."""
    environment = page_environment("rl.report", "page")
    runs = [run for arm in arms for run in arm.runs]
    return environment.get_template("report.html.j2").render(
        arms=arms,
        runs=runs,
        difference=difference(*arms) if len(arms) == 2 else None,
        findings=[arm_findings(arm) for arm in arms],
        rollout_summaries=[rollout_summary(arm.metrics) if len(arm.runs) == 1 else "" for arm in arms],
        settings=setting_rows(runs),
        colors=color_style(),
        data=as_json(page_data(arms, spans)),
        file=lambda name: Markup(files("rl.report").joinpath("page", name).read_text(encoding="utf-8")),
    )


def page_data(arms: list[Arm], spans: list[Spans]) -> dict[str, Any]:
    """Return what the page's scripts draw."""
    firsts = [arm.first for arm in arms]
    return {
        "arms": [_arm_data(arm, arm_spans) for arm, arm_spans in zip(arms, spans, strict=True)],
        "answers": {"columns": column_names(firsts), "rows": answer_rows(firsts)},
        "scale": {"strongest": STRONGEST, "smallest_reach": SMALLEST_REACH},
    }


def _arm_data(arm: Arm, spans: Spans) -> dict[str, Any]:
    held_out = arm.held_out()
    return {
        "name": arm.name,
        "steps": arm.last_step,
        "curves": [_curve_data(curve) for curve in curves(arm.metrics)],
        "kinds": {metric: [asdict(row) for row in rows] for metric, rows in kind_tables(arm.metrics).items()},
        "groups": select_groups(arm.first.rollouts, spans),
        "recorded_steps": len({record["step"] for record in arm.first.rollouts}),
        "held_out": None if held_out is None else held_out.kinds,
    }


def _curve_data(curve: Curve) -> dict[str, Any]:
    under, order = heading(curve.name)
    return {**asdict(curve), "heading": under, "order": order}


def setting_rows(runs: list[RecordedRun]) -> list[tuple[str, list[str], bool]]:
    """Return every setting: its dotted key, its value in each run, and whether the runs differ in it."""
    columns = [dict(flat(run.config)) for run in runs]
    keys = list(dict.fromkeys(key for column in columns for key in column))
    rows = [(key, [json.dumps(column.get(key)) for column in columns]) for key in keys]
    return [(key, values, len(set(values)) > 1) for key, values in rows]


def color_style() -> Markup:
    """Return the credit scale's colours as CSS variables."""
    pairs = {"more": ORANGE, "less": BLUE}
    variables = [f"--{name}: light-dark({color.light}, {color.dark});" for name, color in pairs.items()]
    return Markup(f":root {{ {' '.join(variables)} }}")


def as_json(value: Any) -> Markup:
    """Return JSON that is safe inside a script element: no "</script>" ends it, and no NaN breaks it."""
    text = json.dumps(compact(value), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c"))


def compact(value: Any) -> Any:
    """Return the same nested value, floats rounded to five digits and None where they are not finite."""
    match value:
        case dict():
            return {name: compact(item) for name, item in value.items()}
        case list() | tuple():
            return [compact(item) for item in value]
        case float():
            return float(f"{value:.5g}") if math.isfinite(value) else None
        case _:
            return value
