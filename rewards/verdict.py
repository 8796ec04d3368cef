"""Verdict: whether a completion satisfies a rule, by how much, and which characters prove it."""

import math
from dataclasses import dataclass, replace

Span = tuple[int, int]
"""Half-open character range [start, end) of a text."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """The result of one verifier for one completion.

    Example:
        Verdict(satisfied=False, margin=-2.0, evidence=((4, 5), (9, 10)))    # "no comma", two commas
    """

    satisfied: bool | None
    """None = the rule does not apply to this completion."""
    margin: float
    """Distance to the bound in the rule's own units (words, marks); >= 0 iff satisfied, 0 if not applicable."""
    evidence: tuple[Span, ...]
    """Spans that prove the rule if satisfied and break it if not; empty = absence, the whole text = a global rule."""

    def __post_init__(self) -> None:
        if not math.isfinite(self.margin):
            raise ValueError(f"a margin must be a finite number, got {self.margin}")
        if self.satisfied is None and self.margin != 0:
            raise ValueError(f"a rule that does not apply must have margin 0, got {self.margin}")
        if self.satisfied is not None and self.satisfied != (self.margin >= 0):
            raise ValueError(f"margin must be >= 0 iff satisfied, got satisfied={self.satisfied}, margin={self.margin}")
        if any(not 0 <= start < end for start, end in self.evidence):
            raise ValueError(f"evidence must be non-empty half-open spans (start, end), got {self.evidence}")

    def shifted(self, by: int) -> "Verdict":
        """Return the verdict on the same text with so many more characters before it, which are no evidence."""
        return replace(self, evidence=tuple((start + by, end + by) for start, end in self.evidence)) if by else self


NOT_APPLICABLE = Verdict(satisfied=None, margin=0.0, evidence=())
"""The verdict of a rule that does not apply to this completion."""
