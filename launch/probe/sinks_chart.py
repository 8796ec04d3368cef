"""What `heed probe sinks` shows: the heads it has chosen, and the sinks of each layer, printed and as a PNG."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console


def print_sinks(result: dict[str, Any], out: Path) -> None:
    """Print what was chosen, and the sinks of each layer as a bar of heads."""
    console = Console()
    low, high = result["held_out_interval"]
    console.print(
        f"{result['num_heads']} of {result['num_checked']} heads tried are calibrated; held-out {result['measure']} "
        f"{result['held_out_before']} {result['held_out_gain']:+} [{low:+}, {high:+}]"
    )
    console.print("layer  heads that sink at the first token (█ a tenth), other sinks a head")
    for row in result["sinks_by_layer"]:
        console.print(f"{row['layer']:5}  {'█' * round(10 * row['first']):10} {row['others']:.2f}")
    console.print(f"Calibration: {out}, sinks by layer: {out.with_suffix('.png')}", soft_wrap=True)


def save_sinks_chart(layers: Sequence[dict[str, float]], path: Path, *, model: str) -> None:
    """Draw, for each layer, the share of heads that sink at the first token, and the other sinks of a head."""
    from matplotlib.figure import Figure  # takes a second

    figure = Figure(figsize=(7.5, 4.2), layout="constrained")
    first, others = figure.subplots(2, 1, sharex=True)
    numbers = [row["layer"] for row in layers]
    first.bar(numbers, [row["first"] for row in layers])
    others.bar(numbers, [row["others"] for row in layers], color="C1")
    first.set(ylim=(0, 1), ylabel="share of heads", title="Heads that sink at the first token")
    others.set(xlabel="layer", ylabel="tokens a head", title="Other sinks")
    figure.suptitle(f"Attention sinks of {Path(model).name}", parse_math=False)
    figure.savefig(path)
