"""Count verdicts: turn a count and its bound, or the spans that were found, into a verdict."""

from collections.abc import Sequence
from typing import Literal, get_args

from rewards.verdict import Span, Verdict

Relation = Literal["at least", "less than", "at most", "exactly"]
"""How a count relates to its bound; the first two relations are IFEval's, the others ours."""

RELATIONS: tuple[str, ...] = get_args(Relation)


def relation_margin(count: int, bound: int, relation: Relation) -> float:
    """Return how far `count` lies inside (>= 0) or outside (< 0) the bound, in counted units."""
    match relation:
        case "at least":
            return float(count - bound)
        case "less than":
            return float(bound - 1 - count)
        case "at most":
            return float(bound - count)
        case "exactly":
            return float(-abs(count - bound))
    raise ValueError(f"unknown relation {relation!r}; known are {', '.join(RELATIONS)}")


def range_margin(count: int, minimum: int, maximum: int) -> float:
    """Return the distance from `count` to the nearer end of [minimum, maximum], negative outside."""
    return float(min(count - minimum, maximum - count))


def whole_text_verdict(completion: str, margin: int | float) -> Verdict:
    """Return the verdict of a rule about the whole text: the evidence is the complete completion."""
    return Verdict(satisfied=margin >= 0, margin=float(margin), evidence=((0, len(completion)),) if completion else ())


def text_range_verdict(completion: str, parts: Sequence[Span], minimum: int, maximum: int) -> Verdict:
    """Return the verdict of a rule that bounds the number of parts of a text on both sides.

    The evidence is the text from the first part past the maximum on if there are too many, else the whole text.
    """
    margin = range_margin(len(parts), minimum, maximum)
    if len(parts) <= maximum:
        return whole_text_verdict(completion, margin)
    return Verdict(satisfied=False, margin=margin, evidence=((parts[maximum][0], len(completion.rstrip())),))


def count_verdict(spans: Sequence[Span], bound: int, relation: Relation) -> Verdict:
    """Return the verdict of a rule about how often something occurs, given the span of each occurrence.

    The evidence is the occurrences if a minimum is reached, those past the bound if there are too many, else empty.
    """
    margin = relation_margin(len(spans), bound, relation)
    limit = bound - 1 if relation == "less than" else bound
    return _span_count_verdict(spans, margin, limit=limit, is_lower_bound=relation in ("at least", "exactly"))


def range_verdict(spans: Sequence[Span], minimum: int, maximum: int) -> Verdict:
    """Return the verdict of a rule that bounds how often something occurs on both sides."""
    return _span_count_verdict(
        spans, range_margin(len(spans), minimum, maximum), limit=maximum, is_lower_bound=minimum > 0
    )


def _span_count_verdict(spans: Sequence[Span], margin: float, *, limit: int, is_lower_bound: bool) -> Verdict:
    if margin >= 0:
        return Verdict(satisfied=True, margin=margin, evidence=tuple(spans) if is_lower_bound else ())
    return Verdict(satisfied=False, margin=margin, evidence=tuple(spans[max(limit, 0) :]))


def required_verdict(spans: Sequence[Span | None]) -> Verdict:
    """Return the verdict of a rule that several things must all occur, given the span of each (None = missing)."""
    present = tuple(span for span in spans if span is not None)
    missing = len(spans) - len(present)
    return Verdict(satisfied=not missing, margin=float(-missing), evidence=() if missing else present)


def forbidden_verdict(spans: Sequence[Span]) -> Verdict:
    """Return the verdict of a rule that something must not occur, given the span of each occurrence."""
    return Verdict(satisfied=not spans, margin=float(-len(spans)), evidence=tuple(spans))


def each_part_verdict(completion: str, parts: Sequence[Span], bad: Sequence[Span]) -> Verdict:
    """Return the verdict of a rule about each part of a text, given the parts that break it.

    A text without parts does not satisfy the rule.
    """
    if bad or not parts:
        return Verdict(satisfied=False, margin=float(-len(bad) or -1), evidence=tuple(bad))
    return whole_text_verdict(completion, 0.0)


def each_part_count_verdict(
    completion: str, parts: Sequence[Span], counts: Sequence[int], bound: int, relation: Relation
) -> Verdict:
    """Return the verdict of a rule that bounds a count in each part of a text; the margin is the worst part's."""
    margins = [relation_margin(count, bound, relation) for count in counts]
    bad = tuple(part for part, margin in zip(parts, margins, strict=True) if margin < 0)
    if bad or not parts:
        return Verdict(satisfied=False, margin=min(margins, default=-1.0), evidence=bad)
    return whole_text_verdict(completion, min(margins))


def position_verdict(satisfied: bool, span: Span | None) -> Verdict:
    """Return the verdict of a rule about one position, None if the text has no such position. Margin 0 or -1."""
    assert span is not None or not satisfied, "a satisfied rule about one position has that position"
    return Verdict(
        satisfied=satisfied, margin=0.0 if satisfied else -1.0, evidence=(span,) if span and span[0] < span[1] else ()
    )
