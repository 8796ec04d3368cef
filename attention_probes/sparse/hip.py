"""HiP: the best key blocks found by halving ranges, O(log N) looks a query block (arXiv 2406.09827)."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from attention_probes.sparse.plan import SparsePlan, Texts, at_least


@dataclass(frozen=True, kw_only=True, slots=True)
class Hip(SparsePlan):
    """Reads `top` blocks: so many ranges of the earlier blocks are halved, and the best halves kept, until each is one.

    A range is judged by the mean key of the block in its middle, for the first query of the query block, so that no
    choice depends on a later token; the published kernel takes other queries of the block, too.
    """

    name: ClassVar[str] = "hip"

    top: int = 8

    def __post_init__(self) -> None:
        SparsePlan.__post_init__(self)
        at_least(self.name, top=self.top)

    def choose(self, texts: Texts) -> Bool[Tensor, "B H N N"]:
        query_BHND = texts.query[:, :, :: self.block].float()
        key_BHND = texts.block_means(texts.head_keys(), self.block)
        batch, heads, num_blocks, _ = query_BHND.shape
        earlier_N1 = torch.arange(num_blocks, device=query_BHND.device)[:, None]
        parts = torch.arange(self.top + 1, device=query_BHND.device)
        edges_NP = earlier_N1 * parts // self.top
        start, stop = (
            edges.expand(batch, heads, num_blocks, self.top) for edges in (edges_NP[:, :-1], edges_NP[:, 1:])
        )
        for _ in range((num_blocks - 1).bit_length()):  # halving a range of all blocks so often leaves one
            middle = (start + stop) // 2
            halves = torch.cat([start, middle], dim=-1), torch.cat([middle, stop], dim=-1)
            best = _scores(query_BHND, key_BHND, *halves).topk(self.top, dim=-1).indices
            start, stop = (edges.gather(-1, best) for edges in halves)
        found = torch.zeros(batch, heads, num_blocks, num_blocks + 1, dtype=torch.bool, device=start.device)
        # An empty range marks the column that is cut off.
        return found.scatter_(-1, torch.where(stop > start, start, num_blocks), True)[..., :-1]


def _scores(query: Tensor, key: Tensor, start: Int[Tensor, "B H N P"], stop: Int[Tensor, "B H N P"]) -> Tensor:
    """Return the score of each range's middle block; -infinity for an empty range."""
    middle = ((start + stop) // 2).clamp(max=key.shape[2] - 1)
    chosen = key.gather(2, middle.flatten(2)[..., None].expand(-1, -1, -1, key.shape[3])).unflatten(2, middle.shape[2:])
    return torch.einsum("bhnd,bhnpd->bhnp", query, chosen).masked_fill(stop <= start, -torch.inf)
