"""Concentration: how unevenly a rule shares credit, and what else would have chosen the same tokens."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from attention_probes.rhythm import top_share

# Axes: B completions, T completion tokens.


def gini(weights: Float[Tensor, "B T"], mask: Bool[Tensor, "B T"]) -> Float[Tensor, " B"]:
    """Gini coefficient of each row's weights: 0 when all are equal, towards 1 when one token has everything."""
    # Padding sorts to the front as 0 and gets rank 0, so that it adds nothing.
    sorted_BT = weights.masked_fill(~mask, 0.0).sort(dim=1).values
    count_B1 = mask.sum(dim=1, keepdim=True)
    rank_BT = torch.arange(1, mask.shape[1] + 1, device=mask.device) - (mask.shape[1] - count_B1)
    total_B = sorted_BT.sum(dim=1).clamp(min=1e-12)
    count_B = count_B1.squeeze(1).clamp(min=1)
    return 2.0 * (rank_BT.clamp(min=0) * sorted_BT).sum(dim=1) / (count_B * total_B) - (count_B + 1) / count_B


def effective_token_ratio(weights: Float[Tensor, "B T"], mask: Bool[Tensor, "B T"]) -> Float[Tensor, " B"]:
    """Kish's effective sample size over the number of real tokens: 1 when all weights are equal."""
    weights = weights.masked_fill(~mask, 0.0)
    square_B = weights.square().sum(dim=1).clamp(min=1e-12)
    return weights.sum(dim=1).square() / square_B / mask.sum(dim=1).clamp(min=1)


def overlap(
    weights: Float[Tensor, "B T"], other: Float[Tensor, "B T"], mask: Bool[Tensor, "B T"], q: float
) -> Float[Tensor, ""]:
    """Share of the amplified tokens that are also among the top share `q` by `other`; NaN when none is amplified.

    A rule that chooses without regard to `other` scores about `q`.
    """
    mean_B1 = (weights * mask).sum(dim=1, keepdim=True) / mask.sum(dim=1, keepdim=True).clamp(min=1)
    amplified = (weights > mean_B1) & mask
    return (amplified & top_share(other, mask, q)).sum() / amplified.sum()


def concentration(
    weights: Float[Tensor, "B T"], entropy: Float[Tensor, "B T"], mask: Bool[Tensor, "B T"], q: float
) -> dict[str, float]:
    """The figures logged each step under `credit/`; a completion that is masked whole does not count."""
    some_B = mask.any(dim=1)
    weights, entropy, mask = weights[some_B], entropy[some_B], mask[some_B]
    earliness = -torch.arange(mask.shape[1], device=mask.device, dtype=torch.float32).expand(mask.shape)
    return {
        "credit/gini": gini(weights, mask).mean().item(),
        "credit/effective_token_ratio": effective_token_ratio(weights, mask).mean().item(),
        "credit/overlap_position": overlap(weights, earliness, mask, q).item(),
        "credit/overlap_entropy": overlap(weights, entropy, mask, q).item(),
    }
