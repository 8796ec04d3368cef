"""Indicators: how spread, how alike, how near and how sunk the attention of a layer is (after arXiv 2510.11602)."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from attention_probes.layer import LayerAttention

# Axes: L layers read, B rows of the batch, H heads, S tokens, R rows and C columns of one block.


@dataclass(frozen=True, kw_only=True, slots=True)
class AttentionIndicators:
    """Five numbers of each query in each layer, all between 0 and 1, mean over the heads; 0 at padding."""

    entropy: Float[Tensor, "L B S"]
    """Of each head's attention, over the largest possible one, log of the number of tokens so far."""
    concentration: Float[Tensor, "L B S"]
    """Sum of the squared attention: 1 if all goes to one key, one over their number if all get the same."""
    head_diversity: Float[Tensor, "L B S"]
    """1 - |mean of the heads' attention|^2 / mean of their |attention|^2: 0 if all heads attend alike, 1 - 1/H if no
    two of them attend to the same key."""
    sink_mass: Float[Tensor, "L B S"]
    """Attention to the first real token."""
    local_focus: Float[Tensor, "L B S"]
    """Attention to the query itself and the three tokens before it."""


NEAR = 3
"""Farthest distance that counts as local, in tokens."""
INDICATORS = tuple(AttentionIndicators.__dataclass_fields__)


def indicator_sums(layer: LayerAttention) -> dict[str, Float[Tensor, "B S"]]:
    """Return one layer's indicators by name, in one pass over its blocks of rows, each reduced at once.

    Head diversity needs no pair of heads: the mean squared distance of the heads from their mean is the mean of their
    squares minus the square of their mean.
    """
    entropy, concentration, diversity, sink, focus = layer.zeros(5, layer.batch, layer.length).unbind()
    real_BS = layer.real()
    first_B = real_BS.float().argmax(dim=1)
    # A head with a single key has an entropy of 0, whatever it is divided by.
    largest_BS = real_BS.cumsum(dim=1).clamp(min=2).float().log()
    for block in layer.blocks():
        attention, rows = block.per_head(), block.rows
        mean = attention.mean(dim=1)
        squares = attention.square().sum(dim=3).mean(dim=1)
        entropy[:, rows] = torch.special.entr(attention).sum(dim=3).mean(dim=1) / largest_BS[:, rows]
        concentration[:, rows] = squares
        # Rows of padding have no square at all.
        diversity[:, rows] = torch.where(squares > 0, 1.0 - mean.square().sum(dim=2) / squares, 0.0).clamp(min=0.0)
        first_BR1 = first_B.clamp(max=rows.stop - 1)[:, None, None].expand(*mean.shape[:2], 1)
        sink[:, rows] = mean.gather(2, first_BR1).squeeze(2)
        focus[:, rows] = (mean * (block.distance() <= NEAR)).sum(dim=2)
    return dict(zip(INDICATORS, (entropy, concentration, diversity, sink, focus), strict=True))
