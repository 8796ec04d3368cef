"""Listening: whether each segment of a response attends to the constraint that it serves, or to another one."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from attention_probes.align import align_in_order, segment_attention, soft_assignment
from attention_probes.constraint_attention import constraint_attention
from attention_probes.recorder import Readings
from attention_probes.segments import Segment, boundary_scores, cut_segments

# Axes: B rows of the batch, S tokens, C constraints, N segments of a response.

WINDOW = 4
"""Tokens on either side of a cut that are compared: `ProbePlan.boundary_window` of readings for this file."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Listening:
    """One response: its segments, and what each attends to.

    Example:
        Listening(segments=((9, 14), (14, 30)), attention=tensor([[0.7, 0.4], [0.3, 0.6]]),
                  alignment=tensor([[1.0, 0.0], [0.0, 1.0]]), margins=tensor([0.4, 0.2]))
    """

    segments: tuple[Segment, ...]
    attention: Float[Tensor, "C N"]
    """The confusion matrix: each constraint's share of a segment's attention to all of them; columns sum to 1."""
    alignment: Float[Tensor, "C N"]
    """How much of each constraint a segment serves; rows sum to 1."""
    margins: Float[Tensor, " C"]
    """Own share minus the strongest other's in the segments aligned to the constraint; below 0 they listen to another
    one. NaN where the prompt does not state the constraint, or states no other."""


def listening_of(readings: Readings, spans: Bool[Tensor, "B N S"], response: Bool[Tensor, "B S"]) -> list[Listening]:
    """Return each row's listening, from readings of `boundary_window=WINDOW` and of `prompt_spans` recorded beside."""
    assert readings.boundaries is not None and readings.span_mass is not None
    relative_BSC = constraint_attention(readings.span_mass, spans).relative[:, :, 0].nanmean(dim=0)
    scores_BS = boundary_scores(*readings.boundaries, response, window=WINDOW)
    rows = zip(relative_BSC, scores_BS, response, strict=True)
    return [measure_listening(relative, response_segments(scores, row, relative)) for relative, scores, row in rows]


def response_segments(
    scores: Float[Tensor, " S"], response: Bool[Tensor, " S"], relative: Float[Tensor, "S C"]
) -> tuple[Segment, ...]:
    """Cut the response into at most twice as many segments as there are constraints."""
    return cut_segments(scores, response, radius=WINDOW, max_segments=2 * relative.shape[1])


def constraint_shares(relative: Float[Tensor, "S C"]) -> Float[Tensor, "S C"]:
    """Return each token's attention to each constraint as a share of its attention to all of them.

    `relative` is of `constraint_attention`, so that a constraint does not count more for being stated in more tokens.
    """
    attention = relative.nan_to_num(nan=0.0)
    return attention / attention.sum(dim=1, keepdim=True).clamp(min=1e-12)


def measure_listening(
    relative: Float[Tensor, "S C"], segments: tuple[Segment, ...], *, in_order: bool = False
) -> Listening:
    """Return the confusion matrix of one response and each constraint's margin.

    The margin is that of CSG's inter-token loss, read instead of optimised: in its own place, a constraint should get
    more than any other. `in_order` aligns segments to constraints that are to be followed one after the other.
    """
    attention = segment_attention(constraint_shares(relative), segments)
    alignment = _ordered(attention) if in_order else soft_assignment(attention)
    # What no segment serves is measured over the whole response.
    lengths = torch.tensor([stop - start for start, stop in segments], dtype=torch.float32)
    alignment = torch.where(alignment.any(dim=1, keepdim=True), alignment, lengths / lengths.sum())
    margins = (alignment * (attention - strongest_other(attention))).sum(dim=1)
    stated = relative.nan_to_num(nan=0.0).any(dim=0)
    return Listening(
        segments=segments,
        attention=attention,
        alignment=alignment,
        margins=margins.where(stated & (stated.sum() > 1), torch.nan),
    )


def strongest_other(attention: Float[Tensor, "C N"]) -> Float[Tensor, "C N"]:
    """Return, in each column, the largest value in any other row; 0 where there is no other row."""
    others = attention.expand(len(attention), -1, -1).masked_fill(torch.eye(len(attention)).bool()[:, :, None], 0.0)
    return others.amax(dim=1)


def _ordered(attention: Float[Tensor, "C N"]) -> Float[Tensor, "C N"]:
    """Return the alignment that keeps both orders, each constraint shared evenly by its segments."""
    members = torch.zeros_like(attention)
    for rows, columns in align_in_order(attention).groups:
        members[slice(*rows), slice(*columns)] = 1.0
    return members / members.sum(dim=1, keepdim=True).clamp(min=1.0)
