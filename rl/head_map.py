"""The head map: which heads of which layers look nearby and which far, as an HTML table."""

from attention_probes.heads import HeadRoles
from rl.heat_map import BLUE, ORANGE

COLOURS = {"local": BLUE, "global": ORANGE}


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
