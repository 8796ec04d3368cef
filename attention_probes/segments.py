"""Segments: a text cut where later tokens treat the two sides of the cut differently (after arXiv 2510.24606)."""

from itertools import pairwise

import torch
from jaxtyping import Bool, Float
from torch import Tensor

# Axes: B rows of the batch, S tokens.

Segment = tuple[int, int]
"""Half-open token span."""


def boundary_scores(
    before: Float[Tensor, "B S"], after: Float[Tensor, "B S"], within: Bool[Tensor, "B S"], *, window: int
) -> Float[Tensor, "B S"]:
    """Return max / min of the two masses around a cut behind each token: 1 if later tokens treat both sides alike.

    `before` and `after` are `Readings.boundaries` of the same `window`. Also 1 where either side has fewer than
    `window` tokens of `within`, or where no later token of it is left to compare them.
    """
    low, high = torch.minimum(before, after), torch.maximum(before, after)
    # Where one side gets nothing at all, the small constant keeps the ratio finite.
    score = (high + 1e-6) / (low + 1e-6)
    num_inside = torch.nn.functional.pad(within.long().cumsum(dim=1), (1, 0))
    position = torch.arange(within.shape[1], device=within.device)
    start, stop = (position - window + 1).clamp(min=0), (position + window + 2).clamp(max=within.shape[1])
    surrounded = num_inside[:, stop] - num_inside[:, start] == 2 * window + 1
    return torch.where(surrounded, score, 1.0)


def cut_segments(
    scores: Float[Tensor, " S"],
    within: Bool[Tensor, " S"],
    *,
    theta: float = 1.1,
    radius: int = 8,
    max_segments: int | None = None,
) -> tuple[Segment, ...]:
    """Cut one contiguous text at scores above `theta`, best first, no cut within `radius` of a better one.

    The segments cover `within` exactly and in order; an empty text has none.
    """
    inside = within.nonzero().flatten().tolist()
    if not inside:
        return ()
    candidates = [(-scores[position].item(), position) for position in inside if scores[position] > theta]
    cuts: list[int] = []
    for _, position in sorted(candidates):
        if max_segments is not None and len(cuts) >= max_segments - 1:
            break
        if all(abs(position - cut) > radius for cut in cuts):
            cuts.append(position)
    edges = [inside[0], *(cut + 1 for cut in sorted(cuts)), inside[-1] + 1]
    return tuple((start, stop) for start, stop in pairwise(edges) if start < stop)
