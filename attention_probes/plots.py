"""Plots of a probe page as matplotlib figures, for PNG files and for trackers that store images."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from attention_probes.html_page import ConstraintCurve, ProbePage

# Figures are made without pyplot, which would keep each of them alive and need a display.

MARKERS = {"preplan": {"marker": "o", "markersize": 8, "fillstyle": "none"}, "anchors": {"marker": "."}}
"""A token that is both shows both."""
NAMED_TOKENS = 80
"""The most token labels that fit side by side."""


def rhythm_plot(page: ProbePage) -> Figure:
    """Plot every reading of the completion, one below the other, with the marked tokens; label the tokens if few."""
    figure = Figure(figsize=(10, 2.2 * len(page.readings)), layout="constrained")
    panels = figure.subplots(len(page.readings), 1, sharex=True, squeeze=False)[:, 0]
    positions = range(page.num_prompt_tokens, len(page.tokens))
    for panel, reading in zip(panels, page.readings, strict=True):
        panel.bar(positions, reading.values[page.num_prompt_tokens :], width=1.0, color="0.7")
        for (name, style), colour in zip(MARKERS.items(), ("tab:blue", "tab:orange"), strict=True):
            marked = page.marks[name]
            heights = [reading.values[position] for position in marked]
            panel.plot(marked, heights, linestyle="none", color=colour, label=name, **style)
        panel.set_ylabel(reading.name)
    panels[0].legend(loc="upper right")
    if len(positions) <= NAMED_TOKENS:
        _name_tokens(panels[-1], {position: page.tokens[position] for position in positions})
    else:
        panels[-1].set_xlabel("token")
    figure.suptitle(page.title, parse_math=False)
    return figure


def _name_tokens(panel: Axes, tokens: dict[int, str]) -> None:
    # Fonts lack most of the world's characters, and a pair of dollars would be read as a formula.
    labels = [ascii(token)[1:-1] for token in tokens.values()]
    panel.set_xticks(list(tokens), labels, rotation=90, fontsize=8, fontfamily="monospace", parse_math=False)


def constraint_plot(constraints: Sequence[ConstraintCurve]) -> Figure:
    """Plot relative attention to each constraint over the completion; 1 is what the prompt's other tokens get."""
    figure = Figure(figsize=(10, 3.5), layout="constrained")
    panel = figure.subplots()
    panel.axhline(1.0, color="0.6", linestyle="--")
    for curve in constraints:
        panel.plot(curve.values, label=curve.name)
    panel.set(xlabel="completion token", ylabel="relative attention", ylim=(0, None))
    if constraints:
        panel.legend(loc="upper right")
    return figure


def head_plot(page: ProbePage) -> Figure:
    """Plot head spans of the layers read, local heads marked l and global ones g."""
    figure = Figure(layout="constrained")
    panel = figure.subplots()
    image = panel.imshow(page.head_spans, aspect="auto")
    figure.colorbar(image, label="head span (tokens)")
    for mark, heads in (("l", page.local_heads), ("g", page.global_heads)):
        for layer, head in heads:
            panel.text(head, page.layers.index(layer), mark, ha="center", va="center", color="white")
    panel.set(xlabel="head", ylabel="layer", yticks=range(len(page.layers)), yticklabels=page.layers)
    return figure
