"""HTML for trackers: a completion coloured by the credit of its tokens, and the map of head roles."""

from collections.abc import Sequence
from html import escape

from attention_probes.heads import HeadRoles
from rl.credit.colors import BLUE, ORANGE, Color, scale_reach, share_color

ROLE_COLORS = {"local": BLUE, "global": ORANGE}


def credit_html(text: str, spans: Sequence[tuple[int, int]], weights: Sequence[float]) -> str:
    """Return the text coloured by credit (see `rl.credit.colors`); a token's weight shows on hover.

    A character that several tokens wrote gets the largest of their weights.
    """
    largest: dict[tuple[int, int], float] = {}
    for span, weight in zip(spans, weights, strict=True):
        if span[0] < span[1]:
            largest[span] = max(weight, largest.get(span, 0.0))
    reach = scale_reach(list(largest.values()))
    pieces = [_colored(text[start:end], weight, reach) for (start, end), weight in sorted(largest.items())]
    return f'<pre style="white-space:pre-wrap;font:13px/1.9 monospace">{"".join(pieces)}</pre>'


def _colored(text: str, weight: float, reach: float) -> str:
    color, opacity = share_color(weight, reach)
    return f'<span title="{weight:.2f}" style="background:rgba({_parts(color)},{opacity:.2f})">{escape(text)}</span>'


def _parts(color: Color) -> str:
    return ",".join(str(part) for part in color.rgb())


def head_map_html(roles: HeadRoles) -> str:
    """Return a table with a row per layer, the highest on top, and a column per head.

    Local heads are blue, global ones orange, and heads without a role are left empty.
    """
    role_of = {
        **dict.fromkeys(roles.local_heads, "local"),
        **dict.fromkeys(roles.global_heads, "global"),
    }
    heads = range(1 + max(head for _, head in role_of))
    rows = [
        f"<tr><th>layer {layer}</th>{''.join(_cell(layer, head, role_of.get((layer, head))) for head in heads)}</tr>"
        for layer in reversed(roles.layers)
    ]
    return f'<table style="font:13px sans-serif">{"".join(rows)}</table>'


def _cell(layer: int, head: int, role: str | None) -> str:
    if role is None:
        return "<td></td>"
    background = f"rgb({_parts(ROLE_COLORS[role])})"
    return f'<td title="layer {layer}, head {head}: {role}" style="background:{background}">{head}</td>'
