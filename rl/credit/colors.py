"""Credit colours: one scale wherever credit is shown, orange for more than an equal share and blue for less."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Color:
    """One colour, in a shade for white paper and one for a dark page."""

    light: str
    dark: str

    def rgb(self) -> tuple[int, int, int]:
        """Return the red, green and blue of the shade for white paper."""
        red, green, blue = bytes.fromhex(self.light.removeprefix("#"))
        return red, green, blue


ORANGE = Color(light="#e8590c", dark="#ff8a4c")
BLUE = Color(light="#3b8fd0", dark="#5aa9e6")

EQUAL = 1.0
"""A token's weight when every token of its completion gets the same share."""
STRONGEST = 0.7
"""Opacity of the colour at the end of the scale; the text on it stays readable."""
SMALLEST_REACH = 0.05
"""Weights that lie closer to an equal share than this are pale, however alike the others are."""


def scale_reach(weights: Sequence[float]) -> float:
    """Return the distance from an equal share that gets the strongest colour: the largest among the weights."""
    return max((abs(weight - EQUAL) for weight in weights), default=0.0)


def share_color(weight: float, reach: float) -> tuple[Color, float]:
    """Return a weight's colour and its opacity, 0 at an equal share and the strongest at `reach` from it."""
    strength = min(abs(weight - EQUAL) / max(reach, SMALLEST_REACH), 1.0)
    return (ORANGE if weight >= EQUAL else BLUE), STRONGEST * strength


def on_white(weight: float, reach: float) -> tuple[int, int, int]:
    """Return a weight's colour as it looks on white, for where nothing can be transparent."""
    color, opacity = share_color(weight, reach)
    red, green, blue = (round(255 - opacity * (255 - part)) for part in color.rgb())
    return red, green, blue
