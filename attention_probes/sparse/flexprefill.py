"""FlexPrefill: each head reads by content or by vertical and slanted lines, as its last queries say (2502.20766)."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from attention_probes.errors import ProbeError
from attention_probes.sparse.plan import SparsePlan, Texts, blocks_back

# Axes: B texts, H heads, S tokens, N blocks, R the last queries of a text, D head dimension, M what is chosen from.


@dataclass(frozen=True, kw_only=True, slots=True)
class FlexPrefill(SparsePlan):
    """Reads blocks until they hold `gamma` of the estimated attention.

    A head is query-aware where the attention of mean queries to mean keys predicts that of the last queries (a
    Jensen-Shannon distance below `tau`): then it reads the blocks of that estimate. Otherwise it reads the columns and
    the diagonals that the last queries read. Every choice depends on the text's end.
    """

    name: ClassVar[str] = "flexprefill"
    looks_ahead: ClassVar[bool] = True

    gamma: float = 0.9
    tau: float = 0.1

    def __post_init__(self) -> None:
        SparsePlan.__post_init__(self)
        if not 0.0 < self.gamma <= 1.0 or self.tau < 0.0:
            raise ProbeError(
                f"flexprefill needs gamma above 0 and at most 1, and tau from 0 on; got {self.gamma} and {self.tau}"
            )

    def choose(self, texts: Texts) -> Bool[Tensor, "B H N N"]:
        last_BHRS, position_BR = self._last_attention(texts)
        observed = last_BHRS.unflatten(-1, (-1, self.block)).sum(dim=-1).mean(dim=2)
        query, key = (texts.block_means(values, self.block) for values in (texts.query, texts.head_keys()))
        back = blocks_back(query.shape[2], query.device)
        estimate = (query @ key.transpose(-1, -2) * texts.scale).masked_fill(back < 0, -torch.inf).softmax(dim=-1)
        last_block_B = (texts.lengths - 1) // self.block
        predicted = estimate[torch.arange(len(last_block_B)), :, last_block_B]
        written_BN = torch.arange(len(back), device=back.device) <= last_block_B[:, None]
        estimate = estimate * written_BN[:, None, :, None]  # blocks of padding have no share in the mass
        by_content = top_mass(estimate.flatten(2), self.gamma).view(estimate.shape)
        columns = top_mass(observed, self.gamma)[:, :, None]
        diagonals = self._diagonals(last_BHRS, position_BR, back)
        query_aware = jensen_shannon(observed, predicted)[..., None, None] < self.tau
        return torch.where(query_aware, by_content, columns | diagonals)

    def _last_attention(self, texts: Texts) -> tuple[Float[Tensor, "B H R S"], Tensor]:
        """Return the attention of each text's last block of queries, and their positions."""
        count = min(self.block, int(texts.lengths.min()))
        position_BR = texts.lengths[:, None] - count + torch.arange(count, device=texts.query.device)
        index = position_BR[:, None, :, None].expand(-1, texts.query.shape[1], -1, texts.query.shape[3])
        logits = texts.query.gather(2, index).float() @ texts.head_keys().float().transpose(-1, -2) * texts.scale
        later = torch.arange(texts.query.shape[2], device=index.device) > position_BR[..., None]
        return logits.masked_fill(later[:, None], -torch.inf).softmax(dim=-1), position_BR

    def _diagonals(self, attention: Tensor, position: Tensor, back: Tensor) -> Bool[Tensor, "B H N N"]:
        """Mark the blocks as far back as those that the last queries read, until they hold `gamma` of it."""
        column = torch.arange(attention.shape[-1], device=attention.device)
        blocks = (position[..., None] // self.block - column // self.block).clamp(min=0)
        index = blocks[:, None].expand(attention.shape).flatten(2)
        by_distance = attention.new_zeros((*attention.shape[:2], len(back))).scatter_add_(
            2, index, attention.flatten(2)
        )
        return top_mass(by_distance / attention.shape[2], self.gamma)[:, :, back.clamp(min=0)]


def top_mass(mass: Float[Tensor, "B H M"], gamma: float) -> Bool[Tensor, "B H M"]:
    """Mark the largest entries, as few as hold the share `gamma` of the total."""
    ordered, index = mass.sort(dim=-1, descending=True)
    before = ordered.cumsum(dim=-1) - ordered
    needed = (before < gamma * mass.sum(dim=-1, keepdim=True)) & (ordered > 0.0)
    return torch.zeros_like(needed).scatter_(-1, index, needed)


def jensen_shannon(first: Float[Tensor, "B H N"], second: Float[Tensor, "B H N"]) -> Float[Tensor, "B H"]:
    """Return the square root of the Jensen-Shannon divergence, in nats."""
    middle = (first + second) / 2
    divergence = sum(torch.special.xlogy(one, one / middle.clamp(min=1e-12)).sum(dim=-1) for one in (first, second)) / 2
    return torch.as_tensor(divergence).clamp(min=0.0).sqrt()
