"""HTML for trackers: a completion by the credit of its tokens, and the map of head roles."""

from collections.abc import Sequence
from html import escape

from attention_probes.heads import HeadRoles

ORANGE, BLUE = "232,89,12", "59,143,208"
COLOURS = {"local": BLUE, "global": ORANGE}


def credit_html(text: str, spans: Sequence[tuple[int, int]], weights: Sequence[float]) -> str:
    """The text, more than an equal share of credit (1) in orange, less in blue; a token's weight shows on hover.

    A character that several tokens wrote gets the largest of their weights.
    """
    largest: dict[tuple[int, int], float] = {}
    for span, weight in zip(spans, weights, strict=True):
        if span[0] < span[1]:
            largest[span] = max(weight, largest.get(span, 0.0))
    reach = max((abs(weight - 1.0) for weight in largest.values()), default=0.0) or 1.0
    pieces = [_piece(text[start:end], weight, reach) for (start, end), weight in sorted(largest.items())]
    return f'<pre style="white-space:pre-wrap;font:13px/1.9 monospace">{"".join(pieces)}</pre>'


def _piece(text: str, weight: float, reach: float) -> str:
    colour = ORANGE if weight >= 1.0 else BLUE
    strength = 0.7 * abs(weight - 1.0) / reach
    return f'<span title="{weight:.2f}" style="background:rgba({colour},{strength:.2f})">{escape(text)}</span>'


def head_map_html(roles: HeadRoles) -> str:
    """A row a layer, the highest on top, and a column a head; local heads blue, global ones orange, the rest empty."""
    of_head = {
        **dict.fromkeys(roles.local_heads, "local"),
        **dict.fromkeys(roles.global_heads, "global"),
    }
    heads = range(1 + max(head for _, head in of_head))
    rows = [
        f"<tr><th>layer {layer}</th>{''.join(_cell(layer, head, of_head.get((layer, head))) for head in heads)}</tr>"
        for layer in reversed(roles.layers)
    ]
    return f'<table style="font:13px sans-serif">{"".join(rows)}</table>'


def _cell(layer: int, head: int, role: str | None) -> str:
    if role is None:
        return "<td></td>"
    return f'<td title="layer {layer}, head {head}: {role}" style="background:rgb({COLOURS[role]})">{head}</td>'
