"""Alignment: which segment of the response serves which constraint of the prompt (after SongMASS's aligner)."""

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
    """Mean attention of each segment's tokens to each constraint; `mass` is any reading by token and constraint."""
    return torch.stack([mass[start:stop].mean(dim=0) for start, stop in segments], dim=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Best:
    """The best alignment of the first i constraints and the first j segments, by its last step."""

    score: float
    before: tuple[int, int] = (0, 0)
    """The (i, j) that the last step began at."""
    group: tuple[Range, Range] | None = None
    """What the last step joined; None if it left something out."""


def align_in_order(
    attention: Float[Tensor, "C N"], *, null_cost: float = 0.05, length_penalty: float = 0.5
) -> Alignment:
    """The best alignment that reverses neither order: for instructions that are to be followed one after the other.

    A group joins several constraints to one segment or several segments to one constraint. It scores its mean
    attention, less `length_penalty` times the share of all constraints (or segments) that it joins; leaving a
    constraint or a segment out costs `null_cost`. Dynamic programming, O(C N (C + N)).
    """
    matrix, (num_rows, num_columns) = attention.tolist(), attention.shape
    best = {(0, 0): _Best(score=0.0)}
    for i in range(num_rows + 1):
        for j in range(num_columns + 1):
            left_out = [(i - 1, j)] * (i > 0) + [(i, j - 1)] * (j > 0)
            steps = [_Best(score=best[before].score - null_cost, before=before) for before in left_out]
            for (rows, columns), mean, share in _groups_ending_at(matrix, i, j):
                before = (rows[0], columns[0])
                score = best[before].score + mean - length_penalty * share
                steps.append(_Best(score=score, before=before, group=(rows, columns)))
            if steps:
                best[i, j] = max(steps, key=lambda step: step.score)
    return _trace(best, (num_rows, num_columns))


def soft_assignment(attention: Float[Tensor, "C N"]) -> Float[Tensor, "C N"]:
    """Each constraint's share in each segment, rows summing to 1: for constraints that come in no order.

    Attention is first reduced by what each segment pays to constraints on average, so that a segment that looks at all
    of them alike serves none; a constraint that no segment prefers gets a row of 0.
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


def _trace(best: dict[tuple[int, int], _Best], end: tuple[int, int]) -> Alignment:
    groups, place = [], end
    while place != (0, 0):
        step = best[place]
        if step.group is not None:
            groups.append(step.group)
        place = step.before
    return Alignment(groups=tuple(reversed(groups)), score=best[end].score)
