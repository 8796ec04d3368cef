"""Relations: how a count held against a bound becomes a verdict."""

from collections.abc import Sequence
from typing import Literal, get_args

from rewards.verdict import Span, Verdict

Relation = Literal["at least", "less than", "at most", "exactly"]
"""The first two are IFEval's, the others ours."""

RELATIONS: tuple[str, ...] = get_args(Relation)


def relation_margin(count: int, bound: int, relation: Relation) -> float:
    """How far `count` is inside (>= 0) or outside (< 0) the bound, in counted units."""
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
    """Distance of `count` to the nearer end of [minimum, maximum], negative outside."""
    return float(min(count - minimum, maximum - count))


def whole_text(completion: str, margin: int | float) -> Verdict:
    """Verdict of a global rule: the evidence is the whole completion."""
    return Verdict(satisfied=margin >= 0, margin=float(margin), evidence=((0, len(completion)),) if completion else ())


def counted(found: Sequence[Span], bound: int, relation: Relation) -> Verdict:
    """Verdict of a rule about how often something occurs.

    Enough is proved by the occurrences, too many is broken by those past the bound, too few by absence.
    """
    margin = relation_margin(len(found), bound, relation)
    limit = bound - 1 if relation == "less than" else bound
    return _judged(found, margin, limit=limit, wanted=relation in ("at least", "exactly"))


def counted_in_range(found: Sequence[Span], minimum: int, maximum: int) -> Verdict:
    """Verdict of a rule that something occurs between `minimum` and `maximum` times; evidence as in `counted`."""
    return _judged(found, range_margin(len(found), minimum, maximum), limit=maximum, wanted=minimum > 0)


def _judged(found: Sequence[Span], margin: float, *, limit: int, wanted: bool) -> Verdict:
    if margin >= 0:
        return Verdict(satisfied=True, margin=margin, evidence=tuple(found) if wanted else ())
    return Verdict(satisfied=False, margin=margin, evidence=tuple(found[max(limit, 0) :]))


def required(found: Sequence[Span | None]) -> Verdict:
    """Verdict of a rule that several things must all occur, given where each does (None = nowhere)."""
    present = tuple(span for span in found if span is not None)
    missing = len(found) - len(present)
    return Verdict(satisfied=not missing, margin=float(-missing), evidence=() if missing else present)


def forbidden(found: Sequence[Span]) -> Verdict:
    """Verdict of a rule that something must not occur, given each place where it does."""
    return Verdict(satisfied=not found, margin=float(-len(found)), evidence=tuple(found))


def every(completion: str, parts: Sequence[Span], bad: Sequence[Span]) -> Verdict:
    """Verdict of a rule about each part of a text, broken by the bad parts; a text without parts does not keep it."""
    if bad or not parts:
        return Verdict(satisfied=False, margin=float(-len(bad) or -1), evidence=tuple(bad))
    return whole_text(completion, 0.0)


def every_count(
    completion: str, parts: Sequence[Span], counts: Sequence[int], bound: int, relation: Relation
) -> Verdict:
    """Verdict of a rule that bounds a count in each part of a text; the margin is the worst part's."""
    margins = [relation_margin(count, bound, relation) for count in counts]
    bad = tuple(part for part, margin in zip(parts, margins, strict=True) if margin < 0)
    if bad or not parts:
        return Verdict(satisfied=False, margin=min(margins, default=-1.0), evidence=bad)
    return whole_text(completion, min(margins))


def at_place(kept: bool, span: Span | None) -> Verdict:
    """Verdict of a rule about one place, or about a place that the text does not have (None). Margin 0 or -1."""
    assert span is not None or not kept, "what is kept is kept somewhere"
    return Verdict(satisfied=kept, margin=0.0 if kept else -1.0, evidence=(span,) if span and span[0] < span[1] else ())
