"""Blocks: each query block reads the key blocks whose mean key its mean query likes best (after DHSA)."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Bool
from torch import Tensor

from attention_probes.sparse.plan import SparsePlan, Texts, at_least, blocks_back


@dataclass(frozen=True, kw_only=True, slots=True)
class Blocks(SparsePlan):
    """Reads the `top` best blocks of each head. Blocks are of one size: DHSA's later version dropped learnt ones, too.

    The mean query of a block knows its last query, and so the choice for its first one looks ahead.
    """

    name: ClassVar[str] = "blocks"
    looks_ahead: ClassVar[bool] = True

    top: int = 8

    def __post_init__(self) -> None:
        SparsePlan.__post_init__(self)
        at_least(self.name, top=self.top)

    def choose(self, texts: Texts) -> Bool[Tensor, "B H N N"]:
        query = texts.block_means(texts.query, self.block)
        key = texts.block_means(texts.head_keys(), self.block)
        scores = query @ key.transpose(-1, -2)
        scores = scores.masked_fill(blocks_back(scores.shape[-1], scores.device) < 0, -torch.inf)
        best = scores.topk(min(self.top, scores.shape[-1]), dim=-1).indices
        return torch.zeros_like(scores, dtype=torch.bool).scatter_(-1, best, True)
