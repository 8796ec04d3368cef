"""Alignment: which segment of a response serves which constraint of its prompt (after SongMASS, arXiv 2012.05168)."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

# Axes: S tokens, C constraints (rows of the matrix), N response segments (its columns).

Range = tuple[int, int]
"""Half-open."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Alignment:
    """Groups of constraints and segments that belong together, in order; what is in no group is aligned to nothing.

    Example:
        Alignment(groups=(((0, 1), (0, 2)), ((1, 2), (3, 4))), score=0.9)  # segment 2 serves no constraint
    """

    groups: tuple[tuple[Range, Range], ...]
    """(constraints, segments); one of the two holds a single item."""
    score: float


def segment_attention(mass: Float[Tensor, "S C"], segments: tuple[tuple[int, int], ...]) -> Float[Tensor, "C N"]:
    """Return the mean attention of each segment's tokens to each constraint; `mass` is any reading (token, constraint).

    A segment of (start, stop) covers the rows `start` to `stop` - 1 of `mass`.
    """
    return torch.stack([mass[start:stop].mean(dim=0) for start, stop in segments], dim=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Partial:
    """The best alignment of the first i constraints with the first j segments, described by its last step."""

    score: float
    previous: tuple[int, int] = (0, 0)
    """The (i, j) that the last step started from."""
    group: tuple[Range, Range] | None = None
    """The group that the last step added; None if it left a constraint or a segment out."""


def align_in_order(
    attention: Float[Tensor, "C N"], *, null_cost: float = 0.05, length_penalty: float = 0.5
) -> Alignment:
    """Return the best alignment that keeps both orders: for instructions to be followed one after the other.

    A group joins several constraints to one segment or several segments to one constraint. It scores its mean
    attention, less `length_penalty` times the share of all constraints (or segments) that it joins; leaving a
    constraint or a segment out costs `null_cost`. Dynamic programming, O(C N (C + N)).
    """
    matrix, (num_rows, num_columns) = attention.tolist(), attention.shape
    best = {(0, 0): _Partial(score=0.0)}
    for i in range(num_rows + 1):
        for j in range(num_columns + 1):
            skipped = [(i - 1, j)] * (i > 0) + [(i, j - 1)] * (j > 0)
            steps = [_Partial(score=best[cell].score - null_cost, previous=cell) for cell in skipped]
            for (rows, columns), mean, share in _groups_ending_at(matrix, i, j):
                cell = (rows[0], columns[0])
                score = best[cell].score + mean - length_penalty * share
                steps.append(_Partial(score=score, previous=cell, group=(rows, columns)))
            if steps:
                best[i, j] = max(steps, key=lambda step: step.score)
    return _trace_back(best, (num_rows, num_columns))


def soft_assignment(attention: Float[Tensor, "C N"]) -> Float[Tensor, "C N"]:
    """Return each constraint's share in each segment, rows summing to 1: for constraints that come in no order.

    Attention is first reduced by what each segment pays to constraints on average, so that a segment that attends to
    all of them alike serves none; a constraint that no segment prefers gets a row of 0.
    """
    preferred = (attention - attention.mean(dim=0)).clamp(min=0.0)
    return preferred / preferred.sum(dim=1, keepdim=True).clamp(min=1e-12)


def _groups_ending_at(matrix: list[list[float]], i: int, j: int) -> Iterator[tuple[tuple[Range, Range], float, float]]:
    """Groups whose last constraint is i-1 and last segment j-1: (group, mean attention, share of all it joins)."""
    if not i or not j:
        return
    total = 0.0
    for first in reversed(range(i)):
        total += matrix[first][j - 1]
        yield ((first, i), (j - 1, j)), total / (i - first), (i - first) / len(matrix)
    total = 0.0
    for first in reversed(range(j)):
        total += matrix[i - 1][first]
        yield ((i - 1, i), (first, j)), total / (j - first), (j - first) / len(matrix[0])


def _trace_back(best: dict[tuple[int, int], _Partial], end: tuple[int, int]) -> Alignment:
    groups, cell = [], end
    while cell != (0, 0):
        step = best[cell]
        if step.group is not None:
            groups.append(step.group)
        cell = step.previous
    return Alignment(groups=tuple(reversed(groups)), score=best[end].score)
