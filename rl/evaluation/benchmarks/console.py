"""Figures of a benchmark on the console: metrics by group and kind, differences, attention, and what was left out."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Column, Table


def show_benchmark(console: Console, result: dict[str, Any], folder: Path) -> None:
    """Print the figures with their intervals, by group and by kind, and what was left out."""
    console.print(_metrics_table(result))
    if result["kinds"]:
        console.print(_kinds_table({**result["categories"], **result["kinds"]}))
    tokens = result["tokens"]
    console.print(
        f"tokens per answer {tokens['answer']:.0f}, per thought {tokens['thought']:.0f}; "
        f"{result['unfinished_thoughts']} thoughts without an end, {result['cut_off']} replies cut off"
    )
    if left_out := sum(result["unimplemented"].values()):
        console.print(
            f"{left_out} constraints that no verifier checks left out their prompts: "
            + ", ".join(f"{name} ({count})" for name, count in result["unimplemented"].items())
        )
    if seen := result.get("seen_by_selector"):
        console.print(
            f"the selector was trained on {seen} of these prompts, on which its decisions prove nothing; what it is "
            "worth on others heed train-selector has printed"
        )
    if "against" in result:
        console.print(_differences_table(**result["against"]))
    if "attention" in result:
        _show_attention(console, result["attention"])
    console.print(f"Answers, figures and failures: {folder}")


def _metrics_table(result: Mapping[str, Any]) -> Table:
    title = f"{result['benchmark']}, {result['strategy']}"
    table = Table("", "mean", "95 % interval", title=title, title_justify="left")
    rows = dict(result["metrics"])
    for group, values in result["groups"].items():
        for value, scores in values.items():
            name, first = next(iter(scores.items()))
            rows[f"  {group} {value}, {name}"] = first
    for name, value in rows.items():
        table.add_row(name, f"{value['mean']:.3f}", f"{value['low']:.3f} to {value['high']:.3f}")
    return table


def _kinds_table(kinds: Mapping[str, Mapping[str, Any]]) -> Table:
    table = Table("kind", "strict", "loose", "of")
    for kind, rates in kinds.items():
        shown = (f"{rates[name]:.3f}" if name in rates else "-" for name in ("strict", "loose"))
        table.add_row(kind, *shown, str(rates["of"]))
    return table


def _differences_table(folder: str, differences: Mapping[str, Mapping[str, float]]) -> Table:
    """Return how much higher each figure is than that of other answers to the same prompts."""
    table = Table("", "difference", "95 % interval", title=f"against {folder}, paired by prompt", title_justify="left")
    for name, value in differences.items():
        table.add_row(name, f"{value['mean']:+.3f}", f"{value['low']:+.3f} to {value['high']:+.3f}")
    return table


def _show_attention(console: Console, summary: dict[str, Any]) -> None:
    """Print the drop in attention by kind, and whether it tells what thinking breaks."""
    numbers = ("kept\ndirectly", "kept by\nthinking", "drop per\ntoken", "drop,\nrelative", "of")
    columns = (Column(name, no_wrap=True) for name in numbers)
    table = Table(Column("kind", overflow="fold"), *columns, box=SIMPLE)
    for kind, row in summary["kinds"].items():
        rates = (f"{row[name]:.2f}" for name in ("kept_directly", "kept_after_thought"))
        table.add_row(kind, *rates, f"{row['drop_per_token']:+.5f}", f"{row['drop_relative']:+.3f}", str(row["of"]))
    console.print(table)
    console.print(
        f"thinking breaks {summary['hurt']} of {summary['kept_directly']} constraints that the direct answer keeps; "
        "area under the curve with which each tells them from the others:"
    )
    for name, area in summary["auc"].items():
        shown = "-" if area is None else f"{area['mean']:.2f}, 95 % interval {area['low']:.2f} to {area['high']:.2f}"
        console.print(f"  {name.replace('_', ' ')}: {shown}")
