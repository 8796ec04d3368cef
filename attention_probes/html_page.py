"""The probe page: one probed text as a single HTML file that needs no network."""

import json
import math
from dataclasses import asdict, dataclass
from importlib.resources import files
from typing import Any

from attention_probes.heads import Head


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenReading:
    """One value per token, to colour the tokens by.

    Example:
        TokenReading(name="FAI", meaning="Future attention influence.", values=(0.5, 0.01, 0.02))
    """

    name: str
    meaning: str
    """A sentence."""
    values: tuple[float, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class ConstraintCurve:
    """Relative attention of each completion token to one constraint; NaN where undefined."""

    name: str
    values: tuple[float, ...]
    mean: float
    attended: bool
    """The mean reached the threshold."""
    positions: tuple[int, ...] = ()
    """Indices of the prompt's tokens that state it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ConfusionMatrix:
    """What each segment of the completion attends to, of the constraints: a `Listening` in plain values."""

    segments: tuple[tuple[int, int], ...]
    """Half-open, indices of `ProbePage.tokens`."""
    texts: tuple[str, ...]
    """Of the segments."""
    shares: tuple[tuple[float, ...], ...]
    """A row for each constraint, a column for each segment."""
    alignment: tuple[tuple[float, ...], ...]
    margins: tuple[float, ...]
    """One for each constraint."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ProbePage:
    """Everything the page shows; without constraints or head spans, that part is left out."""

    title: str
    tokens: tuple[str, ...]
    """Text of each token, prompt first."""
    num_prompt_tokens: int
    readings: tuple[TokenReading, ...]
    marks: dict[str, tuple[int, ...]]
    """`preplan` and `anchors`: indices of `tokens`."""
    layers: tuple[int, ...]
    constraints: tuple[ConstraintCurve, ...] = ()
    confusion: ConfusionMatrix | None = None
    head_spans: tuple[tuple[float, ...], ...] = ()
    """For each layer read, for each head, in tokens."""
    local_heads: tuple[Head, ...] = ()
    global_heads: tuple[Head, ...] = ()

    def __post_init__(self) -> None:
        for reading in self.readings:
            if len(reading.values) != len(self.tokens):
                raise ValueError(f"{reading.name} has {len(reading.values)} values for {len(self.tokens)} tokens")


def render_page(page: ProbePage) -> str:
    """Return the page as HTML."""
    # "</script>" in a token would end the element that holds the data.
    document = json.dumps(null_for_nan(asdict(page)), allow_nan=False).replace("<", "\\u003c")
    template = files("attention_probes").joinpath("html_page.html").read_text(encoding="utf-8")
    return template.replace("__DATA__", document)


def null_for_nan(value: Any) -> Any:
    """Return the same nested value with None where a float is not finite: JSON has no NaN."""
    if isinstance(value, dict):
        return {name: null_for_nan(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [null_for_nan(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
