"""Exact streaming reductions of one layer's attention; memory is O(S * block)."""

import torch
from jaxtyping import Float
from torch import Tensor

from attention_probes.layer import LayerAttention


def band_sums(
    layer: LayerAttention, row_weights: Float[Tensor, " N"], column_weights: Float[Tensor, " N"]
) -> tuple[Float[Tensor, "B S"], Float[Tensor, "B S"]]:
    """Sums of the head-averaged attention A over a band, weighted by distance.

    Returns (sum_d row_weights[d] A[t, t-d] for each t, sum_d column_weights[d] A[s+d, s] for each s), d < N.
    Rows that are padding count as 0 throughout.
    """
    reach = len(row_weights)
    batch, _, length, _ = layer.query.shape
    by_row, by_column = torch.zeros(2, batch, length, device=layer.query.device).unbind()
    for block in layer.blocks(reach):
        attention = block.head_mean()
        distance = block.distance()
        inside = (distance >= 0) & (distance < reach)
        distance = distance.clamp(0, reach - 1)
        by_row[:, block.rows] = (attention * (row_weights[distance] * inside)).sum(dim=2)
        by_column[:, block.columns] += (attention * (column_weights[distance] * inside)).sum(dim=1)
    return by_row, by_column


def rhythm_sums(
    layer: LayerAttention, *, window: int, horizon: tuple[int, int]
) -> tuple[Float[Tensor, "B S"], Float[Tensor, "B S"]]:
    """What WAAD and FAI need of one layer, heads averaged: (nearness of each row, attention to come of each column).

    nearness_t = sum_{d<W} (W-d) A[t, t-d];  to_come_s = sum of A[t, s] over H_lo <= t-s <= H_hi.
    """
    nearest, farthest = horizon
    distance = torch.arange(max(window, farthest + 1), device=layer.query.device)
    nearness = (window - distance).clamp(min=0).float()
    ahead = ((distance >= nearest) & (distance <= farthest)).float()
    return band_sums(layer, nearness, ahead)
