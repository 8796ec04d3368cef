"""Concentration metrics: how unevenly a rule shares credit, and what else would have chosen the same tokens."""

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor

from attention_probes.rhythm import top_share
from rl.credit.inputs import CreditInputs

# Axes: B completions, T completion tokens.


def gini(weights: Float[Tensor, "B T"], mask: Bool[Tensor, "B T"]) -> Float[Tensor, " B"]:
    """Return the Gini coefficient of each row's weights: 0 when all are equal, near 1 when one token has them all."""
    # Padding sorts to the front as 0 and gets rank 0, so it adds nothing.
    sorted_BT = weights.masked_fill(~mask, 0.0).sort(dim=1).values
    count_B1 = mask.sum(dim=1, keepdim=True)
    rank_BT = torch.arange(1, mask.shape[1] + 1, device=mask.device) - (mask.shape[1] - count_B1)
    total_B = sorted_BT.sum(dim=1).clamp(min=1e-12)
    count_B = count_B1.squeeze(1).clamp(min=1)
    return 2.0 * (rank_BT.clamp(min=0) * sorted_BT).sum(dim=1) / (count_B * total_B) - (count_B + 1) / count_B


def effective_token_ratio(weights: Float[Tensor, "B T"], mask: Bool[Tensor, "B T"]) -> Float[Tensor, " B"]:
    """Return Kish's effective sample size over the number of real tokens: 1 when all weights are equal."""
    weights = weights.masked_fill(~mask, 0.0)
    square_B = weights.square().sum(dim=1).clamp(min=1e-12)
    return weights.sum(dim=1).square() / square_B / mask.sum(dim=1).clamp(min=1)


def overlap(
    weights: Float[Tensor, "B T"], other: Float[Tensor, "B T"], mask: Bool[Tensor, "B T"], q: float
) -> Float[Tensor, ""]:
    """Return the share of amplified tokens that are also in the top share `q` by `other`; NaN if none is amplified.

    It is about `q` for a rule that chooses without regard to `other`.
    """
    mean_B1 = (weights * mask).sum(dim=1, keepdim=True) / mask.sum(dim=1, keepdim=True).clamp(min=1)
    amplified = (weights > mean_B1) & mask
    return (amplified & top_share(other, mask, q)).sum() / amplified.sum()


def share_on(
    chosen: Bool[Tensor, "B T"], weights: Float[Tensor, "B T"], mask: Bool[Tensor, "B T"]
) -> Float[Tensor, " B"]:
    """Return the part of each row's weight that lies on the chosen tokens."""
    weights = weights.masked_fill(~mask, 0.0)
    return (weights * chosen).sum(dim=1) / weights.sum(dim=1).clamp(min=1e-12)


def decile(mask: Bool[Tensor, "B T"], number: int) -> Bool[Tensor, "B T"]:
    """Return one tenth (number 0 to 9) of each row's real tokens; a row of n has n // 10 or one more in each."""
    position_BT = mask.long().cumsum(dim=1) - 1
    return mask & (position_BT * 10 // mask.sum(dim=1, keepdim=True).clamp(min=1) == number)


def mean_where(values: Shaped[Tensor, "*B"], counted: Bool[Tensor, "*B"]) -> Float[Tensor, ""]:
    """Return the mean of the counted values; NaN where none is."""
    return values.where(counted, 0.0).sum() / counted.sum()


class ConcentrationMetrics:
    """Measures the weights of each step for `credit/*`; completions whose tokens are all masked do not count.

    Nothing here waits for the device: the results are tensors without dimensions, to be fetched together.
    """

    def __init__(self, *, q: float, punctuation: Bool[Tensor, " V"] | None = None):
        self.q = q
        self.punctuation = punctuation
        """Which tokens of the vocabulary are punctuation; without it the share on punctuation is not measured."""

    def measure(
        self, weights: Float[Tensor, "B T"], inputs: CreditInputs, ids: Tensor, *, generator: torch.Generator
    ) -> dict[str, Tensor]:
        """Return each metric's mean over the completions; NaN where all are masked."""
        mask, entropy, device = inputs.mask, inputs.entropy, inputs.mask.device
        counted_B = mask.any(dim=1)
        # Drawn as the rule `random` does: these are the tokens that it would choose.
        noise = torch.rand(mask.shape, generator=generator).to(device, non_blocking=True)
        earliness = -torch.arange(mask.shape[1], device=device, dtype=torch.float32).expand(mask.shape)
        by_row = {
            "credit/gini": gini(weights, mask),
            "credit/effective_token_ratio": effective_token_ratio(weights, mask),
            "credit/first_decile_share": share_on(decile(mask, 0), weights, mask),
            "credit/last_decile_share": share_on(decile(mask, 9), weights, mask),
        }
        if self.punctuation is not None:
            self.punctuation = self.punctuation.to(device)
            by_row["credit/punctuation_share"] = share_on(marked(ids, self.punctuation), weights, mask)
        return {name: mean_where(values, counted_B) for name, values in by_row.items()} | {
            "credit/overlap_position": overlap(weights, earliness, mask, self.q),
            "credit/overlap_entropy": overlap(weights, entropy, mask, self.q),
            "credit/overlap_random": overlap(weights, noise, mask, self.q),
        }


def marked(ids: Int[Tensor, "B T"], vocabulary: Bool[Tensor, " V"]) -> Bool[Tensor, "B T"]:
    """Return which ids the vocabulary's mask marks; ids beyond it, which a padded embedding has, are not."""
    last = len(vocabulary) - 1
    return vocabulary[ids.clamp(max=last)] & (ids <= last)
