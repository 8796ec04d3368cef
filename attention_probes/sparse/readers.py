"""Readers: blocks of queries with the blocks of keys that each reads, those that read equally many together."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from attention_probes.sparse.plan import Texts, selected_blocks

# Axes: B texts, H query heads, S tokens, N blocks of b tokens, M key blocks read, D head dimension, P tokens of the
# queries, U readers: a block of queries in one head, or, where all heads read the same, in all heads that share their
# keys; R rows of a reader, b for each of its heads.


@dataclass(frozen=True, kw_only=True, slots=True)
class Readers:
    """Which blocks of keys each reader reads.

    Example:
        Readers(blocks=tensor([[0, 3, 0, 0]]), counts=tensor([2]), start=tensor([8]), shape=(1, 1, 1))
    """

    blocks: Int[Tensor, "U most"]
    """The numbers of the blocks in order, the reader's own last; what is behind them is not read."""
    counts: Int[Tensor, " U"]
    start: Int[Tensor, " U"]
    """The row of block 0 of the reader's text and key head, among all blocks of keys."""
    shape: tuple[int, int, int]
    """Texts, readers of each block of a text, and heads of a reader."""

    def of_equal_length(self, most: int) -> Iterator[tuple[Int[Tensor, " some"], Int[Tensor, "some M"]]]:
        """Yield readers that read equally many blocks, about `most` in all, and the rows of these."""
        for count in self.counts.unique().tolist():
            for some in (self.counts == count).nonzero()[:, 0].split(max(1, most // count)):
                yield some, self.start[some, None] + self.blocks[some, :count]

    def visible_tokens(
        self, some: Int[Tensor, " some"], count: int, block: int, window: int | None
    ) -> Bool[Tensor, "_ 1 R read"]:
        """Mark the tokens of the `count` blocks read that the queries of some readers may attend to.

        Without a window that is the same for all: everything but the later tokens of the reader's own block.
        """
        within = torch.arange(block, device=some.device)
        blocks = self.blocks[some[:1] if window is None else some, :count]
        distance = ((blocks[:, -1:] - blocks) * block)[:, None, :, None] + within[:, None, None] - within
        allowed = distance >= 0 if window is None else (distance >= 0) & (distance < window)
        return allowed.flatten(2)[:, None].repeat(1, 1, self.shape[2], 1)

    def split_queries(self, query: Float[Tensor, "B H P D"], block: int) -> Float[Tensor, "U R D"]:
        """Return each reader's queries."""
        groups = query.unflatten(2, (-1, block)).unflatten(1, self.shape[1:])
        return groups.transpose(2, 3).flatten(3, 4).flatten(0, 2)

    def join_heads(self, output: Float[Tensor, "U R D"], block: int) -> Float[Tensor, "B H P D"]:
        """Return readers' output by text and head, as `split_queries` took it."""
        texts, readers, heads = self.shape
        groups = output.unflatten(1, (heads, block)).unflatten(0, (texts, readers, -1))
        return groups.transpose(2, 3).flatten(3, 4).flatten(1, 2)


def readers_of(keep: Bool[Tensor, "_ _ N N"], texts: Texts, first: int) -> Readers:
    """Return the readers of the blocks of queries from `first` on."""
    (batch, heads), key_heads, num_blocks = texts.query.shape[:2], texts.key.shape[1], keep.shape[-1]
    readers = key_heads if keep.shape[:2] == (1, 1) else heads
    blocks, exists = selected_blocks(keep[:, :, first:].expand(batch, readers, -1, -1).flatten(0, 2))
    key_head = torch.arange(readers, device=keep.device) * key_heads // readers
    start = (torch.arange(batch, device=keep.device)[:, None] * key_heads + key_head) * num_blocks
    return Readers(
        blocks=blocks,
        counts=exists.sum(dim=-1),
        start=start.flatten().repeat_interleave(num_blocks - first),
        shape=(batch, readers, heads // readers),
    )
