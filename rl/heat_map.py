"""Heat maps: one completion as HTML, each token on a background as strong as its credit."""

from collections.abc import Sequence
from html import escape

ORANGE, BLUE = "232,89,12", "59,143,208"


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
