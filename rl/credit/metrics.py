"""Concentration metrics: how unevenly a rule shares credit, and what else would have chosen the same tokens."""

import unicodedata
from collections.abc import Callable

import torch
from jaxtyping import Bool, Float
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


def is_punctuation(text: str) -> bool:
    """Return whether a token's text is punctuation and white space, with some punctuation."""
    return bool(text.strip()) and all(unicodedata.category(character).startswith("P") for character in text.strip())


class ConcentrationMetrics:
    """Measures the weights of each step for `credit/*`; completions whose tokens are all masked do not count."""

    def __init__(self, *, q: float, token_text: Callable[[int], str] | None = None):
        self.q = q
        self.token_text = token_text
        """Text of a token id; without it the share on punctuation is not measured."""
        self._punctuation_ids: dict[int, bool] = {}

    def measure(
        self, weights: Float[Tensor, "B T"], inputs: CreditInputs, ids: Tensor, *, generator: torch.Generator
    ) -> dict[str, float]:
        """Return each metric's mean over the completions; empty where all are masked."""
        counted_B = inputs.mask.any(dim=1)
        if not bool(counted_B.any()):
            return {}
        # Drawn for all rows, as the rule `random` does: these are the tokens that it would choose.
        noise = torch.rand(inputs.mask.shape, generator=generator).to(inputs.mask.device)[counted_B]
        weights, mask, entropy = weights[counted_B], inputs.mask[counted_B], inputs.entropy[counted_B]
        earliness = -torch.arange(mask.shape[1], device=mask.device, dtype=torch.float32).expand(mask.shape)
        metrics = {
            "credit/gini": gini(weights, mask).mean(),
            "credit/effective_token_ratio": effective_token_ratio(weights, mask).mean(),
            "credit/first_decile_share": share_on(decile(mask, 0), weights, mask).mean(),
            "credit/last_decile_share": share_on(decile(mask, 9), weights, mask).mean(),
            "credit/overlap_position": overlap(weights, earliness, mask, self.q),
            "credit/overlap_entropy": overlap(weights, entropy, mask, self.q),
            "credit/overlap_random": overlap(weights, noise, mask, self.q),
        }
        if self.token_text is not None:
            metrics["credit/punctuation_share"] = share_on(self._punctuation(ids[counted_B]), weights, mask).mean()
        return {name: value.item() for name, value in metrics.items()}

    def _punctuation(self, ids: Tensor) -> Bool[Tensor, "B T"]:
        assert self.token_text is not None
        rows, known = ids.tolist(), self._punctuation_ids
        for token in {token for row in rows for token in row if token not in known}:
            known[token] = is_punctuation(self.token_text(token))
        return torch.tensor([[known[token] for token in row] for row in rows], dtype=torch.bool).to(ids.device)
