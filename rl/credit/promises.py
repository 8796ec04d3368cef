"""Promises: what every rule's weights satisfy, whatever the rule returned."""

from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def keep_promises(
    weights: Float[Tensor, "B T"], mask: Bool[Tensor, "B T"], *, floor: float, preserve_mass: bool
) -> Float[Tensor, "B T"]:
    """Weights that are detached, at least `floor` on real tokens and exactly 0 elsewhere.

    With `preserve_mass` each row's masked mean is 1, so that a row's advantage keeps its size.
    Raises ValueError when a weight is negative or not finite.
    """
    weights = weights.detach().float().masked_fill(~mask, 0.0)
    if not bool((torch.isfinite(weights) & (weights >= 0.0)).all()):
        raise ValueError("a credit rule gave a negative or non-finite weight; weights must be finite and >= 0")
    if not preserve_mass:
        return weights.clamp(min=floor).masked_fill(~mask, 0.0)
    count_B1 = mask.sum(dim=1, keepdim=True).clamp(min=1)
    mean_B1 = weights.sum(dim=1, keepdim=True) / count_B1
    shares = torch.where(mean_B1 > 0.0, weights / mean_B1, 1.0)
    return (floor + (1.0 - floor) * shares).masked_fill(~mask, 0.0)


def spread(
    advantages: Float[Tensor, " B"],
    weights: Float[Tensor, "B T"],
    mask: Bool[Tensor, "B T"],
    *,
    sign: Literal["both", "positive"],
) -> Float[Tensor, "B T"]:
    """Advantage of each token: the row's advantage times the token's weight.

    `sign="positive"` leaves rows with a negative advantage unshaped (arXiv 2510.13554 v1).
    """
    column_B1 = advantages[:, None]
    if sign == "positive":
        weights = torch.where(column_B1 < 0.0, mask.float(), weights)
    return column_B1 * weights
