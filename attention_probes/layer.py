"""One layer's attention, kept as what determines it: queries, keys and each row's log-sum-exp."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

# Axes: B rows of the batch, H query heads, K key heads (H = K * groups), S tokens, D head dimension,
# R rows and C columns of one block.

BLOCK = {"cpu": 64, "cuda": 512}
"""Rows worked on at a time: small enough for a CPU's cache, large enough to keep a GPU busy."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LayerAttention:
    """Attention A[t, s] = exp(logit[t, s] - lse[t]), exact, without ever being S x S in memory."""

    query: Float[Tensor, "B H S D"]
    """After rotary embedding and normalisation, as the kernel sees it."""
    key: Float[Tensor, "B K S D"]
    mask: Tensor | None
    """The kernel's own (B or 1, 1, S, S): boolean (True attends) or additive; None is causal without padding."""
    scale: float
    softcap: float | None = None
    """Logits are squashed to softcap * tanh(logit / softcap) (Gemma 2)."""
    lse: Float[Tensor, "B H S"] | None = None
    """Row log-sum-exp from the kernel; None if it gave none."""

    @property
    def length(self) -> int:
        return self.query.shape[2]

    def real(self) -> Bool[Tensor, "B S"]:
        """Tokens that are not padding: exactly those that attend to themselves."""
        batch = self.query.shape[0]
        if self.mask is None:
            return torch.ones(batch, self.length, dtype=torch.bool, device=self.query.device)
        return attends(self.mask[:, 0].diagonal(dim1=-2, dim2=-1)).expand(batch, -1)

    def select(self, heads: Sequence[int]) -> "LayerAttention":
        """The same layer with these query heads only, each beside its own key head."""
        index = torch.tensor(heads, device=self.query.device)
        groups = self.query.shape[1] // self.key.shape[1]
        lse = None if self.lse is None else self.lse[:, index]
        return replace(self, query=self.query[:, index], key=self.key[:, index // groups], lse=lse)

    def with_lse(self) -> "LayerAttention":
        """The same layer with its row log-sum-exp, computed block by block if the kernel gave none."""
        if self.lse is not None:
            return self
        rows = [
            self._logits(block, slice(0, block.stop)).masked_fill_(~self._allowed(block, slice(0, block.stop)), -torch.inf)
            for block in self._row_blocks()
        ]
        return replace(self, lse=torch.cat([row.logsumexp(dim=-1) for row in rows], dim=2))

    def blocks(self, reach: int | None = None) -> Iterator["Block"]:
        """The attention, block by block: all earlier keys of each row, or only those less than `reach` tokens back."""
        layer = self.with_lse()
        real_BS = self.real()
        for rows in layer._row_blocks():
            columns = slice(0 if reach is None else max(0, rows.start - reach + 1), rows.stop)
            raw = layer._logits(rows, columns).sub_(layer.lse[:, :, rows, None]).exp_()
            allowed = layer._allowed(rows, columns) & real_BS[:, None, rows, None]
            yield Block(rows=rows, columns=columns, raw=raw, allowed=allowed)

    def _row_blocks(self) -> Iterator[slice]:
        size = BLOCK.get(self.query.device.type, 256)
        return (slice(start, min(start + size, self.length)) for start in range(0, self.length, size))

    def _logits(self, rows: slice, columns: slice) -> Float[Tensor, "B H R C"]:
        # float32 throughout: half-precision logits would be off by several percent once exponentiated.
        key_heads = self.key.shape[1]
        query = (self.query[:, :, rows].float() * self.scale).unflatten(1, (key_heads, -1))
        logits = query.flatten(2, 3) @ self.key[:, :, columns].float().transpose(-1, -2)
        logits = logits.unflatten(2, query.shape[2:4]).flatten(1, 2)
        if self.softcap is not None:
            logits = logits.div_(self.softcap).tanh_().mul_(self.softcap)
        if self.mask is not None and self.mask.dtype != torch.bool:
            logits = logits + self.mask[:, :, rows, columns].float()
        return logits

    def _allowed(self, rows: slice, columns: slice) -> Bool[Tensor, "B 1 R C"]:
        if self.mask is not None:
            return attends(self.mask[:, :, rows, columns])
        return distance(rows, columns, self.query.device)[None, None] >= 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Block:
    """A[rows, columns] of one layer."""

    rows: slice
    columns: slice
    raw: Float[Tensor, "B H R C"]
    """Attention where `allowed`; anything, infinity included, elsewhere."""
    allowed: Bool[Tensor, "B 1 R C"]
    """False where the query may not see the key, and for queries that are padding."""

    def per_head(self) -> Float[Tensor, "B H R C"]:
        return self.raw.masked_fill(~self.allowed, 0.0)

    def head_mean(self) -> Float[Tensor, "B R C"]:
        # Averaging before masking touches H times less memory.
        return self.raw.mean(dim=1).masked_fill_(~self.allowed[:, 0], 0.0)

    def distance(self) -> Tensor:
        """(R, C): how many tokens back each key lies."""
        return distance(self.rows, self.columns, self.raw.device)


def distance(rows: slice, columns: slice, device: torch.device) -> Tensor:
    """(R, C): row index minus column index."""
    row = torch.arange(rows.start, rows.stop, device=device)
    return row[:, None] - torch.arange(columns.start, columns.stop, device=device)


def attends(mask: Tensor) -> Bool[Tensor, "..."]:
    """Where a boolean or additive attention mask lets a query see a key."""
    return mask if mask.dtype == torch.bool else mask > torch.finfo(mask.dtype).min / 2
