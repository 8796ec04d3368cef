"""Statistics of one layer's attention: exact streaming reductions in O(S * block) memory."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from attention_probes.layer import LayerAttention

# Axes: B rows of the batch, H heads, P pools of heads, S tokens, N distances, C spans.
# A pool is a row of head weights: 1/H in every place gives the mean over heads, the identity matrix every head alone.
# A[t, s] is the attention that query t pays to key s; a query that is padding pays none.


def band_sums(
    layer: LayerAttention,
    pools: Float[Tensor, "P H"],
    row_weights: Float[Tensor, " N"],
    column_weights: Float[Tensor, " N"],
) -> tuple[Float[Tensor, "B P S"], Float[Tensor, "B P S"]]:
    """Sum over a band, weighted by distance.

    Returns (sum_d row_weights[d] A[t, t-d] for each t, sum_d column_weights[d] A[s+d, s] for each s), d < N.
    """
    reach = len(row_weights)
    by_row, by_column = layer.zeros(2, layer.batch, len(pools), layer.length).unbind()
    for block in layer.blocks(reach):
        attention = block.pooled(pools)
        distance = block.distance()
        inside = (distance >= 0) & (distance < reach)
        distance = distance.clamp(0, reach - 1)
        by_row[:, :, block.rows] = (attention * (row_weights[distance] * inside)).sum(dim=3)
        by_column[:, :, block.columns] += (attention * (column_weights[distance] * inside)).sum(dim=2)
    return by_row, by_column


def rhythm_sums(
    layer: LayerAttention, pools: Float[Tensor, "P H"], *, window: int, horizon: tuple[int, int]
) -> tuple[Float[Tensor, "B P S"], Float[Tensor, "B P S"]]:
    """Return what WAAD and FAI need of a layer: (nearness of each query, future mass of each key).

    nearness_t = sum_{d<W} (W-d) A[t, t-d];  future_mass_s = sum of A[t, s] over H_lo <= t-s <= H_hi.
    """
    nearest, farthest = horizon
    distance = torch.arange(min(max(window, farthest + 1), layer.length), device=layer.device)
    nearness = (window - distance).clamp(min=0).float()
    ahead = ((distance >= nearest) & (distance <= farthest)).float()
    return band_sums(layer, pools, nearness, ahead)


def span_mass(
    layer: LayerAttention, pools: Float[Tensor, "P H"], spans: Bool[Tensor, "B C S"]
) -> Float[Tensor, "B P S C"]:
    """Return the mass that each query pays to each span: sum of A[t, s] over s in the span, which may be empty."""
    mass = layer.zeros(layer.batch, len(pools), layer.length, spans.shape[1])
    for block in layer.blocks():
        members = spans[:, None, :, block.columns].float().transpose(-1, -2)
        mass[:, :, block.rows] = block.pooled(pools) @ members
    return mass


def boundary_masses(
    layer: LayerAttention, pools: Float[Tensor, "P H"], *, window: int
) -> tuple[Float[Tensor, "B P S"], Float[Tensor, "B P S"]]:
    """Return the attention that the tokens up to each one, and those after it, get from later tokens (see `segments`).

    before_i = sum of A[r, s] over i-w < s <= i, after_i = the same over i < s <= i+w, both over rows r > i+w.
    """
    # Column s counts for boundary i over the rows r > s + delay, delay = i + w - s, which runs from 0 to 2w - 1.
    later_mass = layer.zeros(layer.batch, len(pools), layer.length, 2 * window)
    delay = torch.arange(2 * window, device=layer.device)
    for block in layer.blocks():
        beyond = block.distance()[:, :, None] > delay
        later_mass[:, :, block.columns] += torch.einsum("bprc,rcn->bpcn", block.pooled(pools), beyond.float())
    before, after = torch.zeros_like(later_mass[..., 0]), torch.zeros_like(later_mass[..., 0])
    for offset in range(min(window, layer.length)):
        before[..., offset:] += later_mass[..., : layer.length - offset, window + offset]
        after[..., : -1 - offset] += later_mass[..., 1 + offset :, window - 1 - offset]
    return before, after


@dataclass(frozen=True, kw_only=True, slots=True)
class HeadStatistics:
    """Statistics of whole rows and columns, for every head of one layer; 0 where the token is padding."""

    distance: Float[Tensor, "B H S"]
    """Expected distance of each query, sum_s A[t, s] (t-s), in tokens."""
    entropy: Float[Tensor, "B H S"]
    """Of each query's attention, in nats."""
    first_mass: Float[Tensor, "B H S"]
    """Mass that each query pays to the first real token."""
    received: Float[Tensor, "B H S"]
    """Mass that each key gets from all queries together."""
    top_key: Int[Tensor, "B H S"]
    """Index of the key that each query pays most to."""


def head_statistics(layer: LayerAttention) -> HeadStatistics:
    """Compute all of them in one pass over the blocks."""
    distance, entropy, first_mass, received = layer.zeros(4, *layer.query.shape[:3]).unbind()
    top_key = torch.zeros_like(received, dtype=torch.long)
    first_B = layer.real().float().argmax(dim=1)
    for block in layer.blocks():
        attention, rows = block.per_head(), block.rows
        distance[:, :, rows] = (attention * block.distance()).sum(dim=3)
        entropy[:, :, rows] = torch.special.entr(attention).sum(dim=3)
        first_BHR1 = first_B.clamp(max=rows.stop - 1)[:, None, None, None].expand(*attention.shape[:3], 1)
        first_mass[:, :, rows] = attention.gather(3, first_BHR1).squeeze(3)
        received[:, :, block.columns] += attention.sum(dim=2)
        top_key[:, :, rows] = attention.argmax(dim=3)
    return HeadStatistics(distance=distance, entropy=entropy, first_mass=first_mass, received=received, top_key=top_key)
