"""Figures of the benchmarks' report, as SVG that stands in the page."""

import io
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from matplotlib import rc_context
from matplotlib.figure import Figure

from launch.bench.compare import BenchArm
from launch.bench.paired import Arms
from rl.common.intervals import Interval, student_interval


def curve_figure(arms: Arms, *, title: str) -> str:
    """Return the mean held-out score by step, a line per name, in a band of its 95 % interval over the seeds."""
    figure = Figure(figsize=(7.5, 4.2), layout="constrained")
    axes = figure.subplots()
    for name, seeds in arms.items():
        if seeds:
            _curve(axes, name, list(seeds.values()))
    axes.set(title=title, xlabel="optimizer step", ylabel="held-out score")
    axes.legend(fontsize=8)
    return _svg(figure)


def _curve(axes: Any, name: str, arms: Sequence[BenchArm]) -> None:
    columns = list(zip(*(arm.scores for arm in arms), strict=True))
    [line] = axes.plot(arms[0].steps, [fmean(column) for column in columns], label=f"{name} ({len(arms)})")
    if len(arms) > 1:
        bands = [student_interval(column) for column in columns]
        lows, highs = [band.low for band in bands], [band.high for band in bands]
        axes.fill_between(arms[0].steps, lows, highs, color=line.get_color(), alpha=0.15, linewidth=0)


Gains = Mapping[str, Mapping[int, tuple[Interval | None, Sequence[float]]]]
"""Name -> number of slots -> mean gain with its interval, and the gain of each seed."""


def dose_figure(gains: Gains, *, control: str) -> str:
    """Return the gain on the baseline by number of slots: for each name its mean and interval, and a dot a seed.

    The control has a panel of its own below, for a loss that would dwarf all gains.
    """
    doses = sorted({dose for by_dose in gains.values() for dose in by_dose})
    panels = [{name: found for name, found in gains.items() if (name == control) == apart} for apart in (False, True)]
    figure = Figure(figsize=(7.5, 5.4), layout="constrained")
    rows = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    color = 0
    for axes, panel in zip(rows, panels, strict=True):
        axes.axhline(0.0, color="gray", linewidth=0.8)
        for number, (name, by_dose) in enumerate(panel.items()):
            shift = 0.1 * (number - (len(panel) - 1) / 2)
            _dose(axes, name, {doses.index(dose) + shift: found for dose, found in by_dose.items()}, f"C{color}")
            color += 1
        if panel:
            axes.legend(fontsize=8)
    rows[0].set(title="Gain over uniform, mean over training", ylabel="difference in held-out score")
    rows[1].set_xticks(range(len(doses)), [f"K = {dose}" for dose in doses])
    return _svg(figure)


def _dose(axes: Any, name: str, gains: Mapping[float, tuple[Interval | None, Sequence[float]]], color: str) -> None:
    known = {place: (gain, values) for place, (gain, values) in gains.items() if gain is not None}
    means = [gain.mean for gain, _ in known.values()]
    errors = [gain.high - gain.mean for gain, _ in known.values()]
    axes.errorbar([*known], means, yerr=errors, fmt="o", markersize=5, capsize=2, label=name, color=color)
    for place, (_, values) in known.items():
        axes.plot([place] * len(values), values, ".", color=color, markersize=3, alpha=0.4)


def _svg(figure: Figure) -> str:
    """Return the figure without an XML prolog; the same figure gives the same text."""
    buffer = io.StringIO()
    with rc_context({"svg.hashsalt": "heed", "svg.fonttype": "none"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]
