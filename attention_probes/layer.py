"""One layer's attention in compact form: its queries, keys and row log-sum-exp, from which blocks are recomputed."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

# Axes: B rows of the batch, H query heads, K key heads (H = K * groups), P pools of heads, S tokens, D head dimension,
# R rows and C columns of one block.

CPU_BLOCK, GPU_BLOCK = 64, 512
"""Rows worked on at a time: few enough for a CPU's cache, many enough to keep a GPU busy."""
GPU_BLOCK_BYTES = 2**28
"""Largest float32 block on a GPU, which then has fewer rows: some three are alive at once, beside a model in training.
At 256 MiB one still takes far longer to compute than its kernels take to start."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LayerAttention:
    """Attention A[t, s] = exp(logit[t, s] - lse[t]), exact, without ever being S x S in memory."""

    query: Float[Tensor, "B H S D"]
    """After rotary embedding and normalisation, as the kernel sees it."""
    key: Float[Tensor, "B K S D"]
    mask: Tensor | None
    """The kernel's own, (B or 1, 1, S, S), boolean (True attends) or additive; None is causal without padding."""
    scale: float
    softcap: float | None = None
    """Logits are squashed to softcap * tanh(logit / softcap) (Gemma 2)."""
    lse: Float[Tensor, "B H S"] | None = None
    """Row log-sum-exp from the kernel; None if it gave none."""

    @property
    def batch(self) -> int:
        return self.query.shape[0]

    @property
    def num_heads(self) -> int:
        return self.query.shape[1]

    @property
    def length(self) -> int:
        return self.query.shape[2]

    @property
    def device(self) -> torch.device:
        return self.query.device

    def zeros(self, *shape: int) -> Float[Tensor, "..."]:
        """Return a float32 accumulator on the layer's device."""
        return torch.zeros(shape, device=self.device)

    def real(self) -> Bool[Tensor, "B S"]:
        """Mark the tokens that are not padding: exactly those that attend to themselves."""
        if self.mask is None:
            return torch.ones(self.batch, self.length, dtype=torch.bool, device=self.device)
        return visible(self.mask[:, 0].diagonal(dim1=-2, dim2=-1)).expand(self.batch, -1)

    def with_lse(self) -> "LayerAttention":
        """Return the same layer, its row log-sum-exp computed if the kernel gave none."""
        return replace(self, lse=self.row_lse())

    def row_lse(self) -> Float[Tensor, "B H S"]:
        """Return the kernel's log-sum-exp, or else compute it block by block."""
        if self.lse is not None:
            return self.lse
        lse = self.zeros(self.batch, self.num_heads, self.length)
        for rows in self._row_blocks(self.length):
            columns = slice(0, rows.stop)
            logits = self._logits(rows, columns).masked_fill_(~self._allowed(rows, columns), -torch.inf)
            lse[:, :, rows] = logits.logsumexp(dim=-1)
        return lse

    def blocks(self, reach: int | None = None) -> Iterator["AttentionBlock"]:
        """Yield the attention a few rows at a time: to all earlier keys, or to those less than `reach` tokens back."""
        lse, real_BS = self.row_lse(), self.real()
        for rows in self._row_blocks(self.length if reach is None else reach):
            columns = slice(0 if reach is None else max(0, rows.start - reach + 1), rows.stop)
            raw = self._logits(rows, columns).sub_(lse[:, :, rows, None]).exp_()
            allowed = self._allowed(rows, columns) & real_BS[:, None, rows, None]
            yield AttentionBlock(rows=rows, columns=columns, raw=raw, allowed=allowed)

    def _row_blocks(self, reach: int) -> Iterator[slice]:
        size = self._block_rows(reach)
        return (slice(start, min(start + size, self.length)) for start in range(0, self.length, size))

    def _block_rows(self, reach: int) -> int:
        """Return how many rows make a block, if each reads `reach` keys."""
        if self.device.type == "cpu":
            return CPU_BLOCK
        rows, entry_bytes = GPU_BLOCK, 4 * self.batch * self.num_heads
        while rows > 1 and entry_bytes * rows * min(self.length, rows + reach) > GPU_BLOCK_BYTES:
            rows //= 2
        return rows

    def _logits(self, rows: slice, columns: slice) -> Float[Tensor, "B H R C"]:
        query, key = self.query[:, :, rows], self.key[:, :, columns]
        in_half = self.device.type != "cpu" and query.dtype != torch.float32
        if not in_half:
            # float32 throughout: a half-precision logit is off by percents once exponentiated.
            query, key = query.float() * self.scale, key.float()
        grouped = query.unflatten(1, (key.shape[1], -1)).flatten(2, 3)
        logits = _half_products(grouped, key).mul_(self.scale) if in_half else grouped @ key.transpose(-1, -2)
        logits = logits.unflatten(2, (-1, query.shape[2])).flatten(1, 2)
        if self.softcap is not None:
            logits.div_(self.softcap).tanh_().mul_(self.softcap)
        if self.mask is not None and self.mask.dtype != torch.bool:
            logits += self.mask[:, :, rows, columns]
        return logits

    def _allowed(self, rows: slice, columns: slice) -> Bool[Tensor, "*B 1 R C"]:
        if self.mask is not None:
            return visible(self.mask[:, :, rows, columns])
        return (distance(rows, columns, self.device) >= 0)[None, None]


@dataclass(frozen=True, kw_only=True, slots=True)
class AttentionBlock:
    """A block A[rows, columns] of one layer."""

    rows: slice
    columns: slice
    raw: Float[Tensor, "B H R C"]
    """Attention where `allowed`; anything, infinity included, elsewhere."""
    allowed: Bool[Tensor, "B 1 R C"]
    """False where the query may not see the key, and for queries that are padding."""

    def per_head(self) -> Float[Tensor, "B H R C"]:
        """Return every head alone, 0 where not `allowed`."""
        return self.raw.masked_fill(~self.allowed, 0.0)

    def pooled(self, pools: Float[Tensor, "P H"]) -> Float[Tensor, "B P R C"]:
        """Return weighted sums over the heads."""
        # Masking after pooling touches less memory, and clears the NaN of 0 * infinity as well.
        return (pools @ self.raw.flatten(2)).unflatten(2, self.raw.shape[2:]).masked_fill_(~self.allowed, 0.0)

    def distance(self) -> Int[Tensor, "R C"]:
        """Return how many tokens back each key lies; negative for later keys."""
        return distance(self.rows, self.columns, self.raw.device)


def _half_products(query: Float[Tensor, "B K Q D"], key: Float[Tensor, "B K C D"]) -> Float[Tensor, "B K Q C"]:
    """Return every query times every key, in float32: exact products of half-precision numbers, summed in float32.

    CUDA's matrix units do both; turned to float32 first, the same numbers would not use them.
    """
    products = torch.bmm(query.flatten(0, 1), key.flatten(0, 1).transpose(1, 2), out_dtype=torch.float32)
    return products.unflatten(0, key.shape[:2])


def distance(rows: slice, columns: slice, device: torch.device) -> Int[Tensor, "R C"]:
    """Return row index minus column index."""
    row = torch.arange(rows.start, rows.stop, device=device)
    return row[:, None] - torch.arange(columns.start, columns.stop, device=device)


def scale_of(query: Tensor, scaling: float | None) -> float:
    """Return what the attention logits are multiplied by: transformers' `scaling`, or 1 / sqrt(head dimension)."""
    return query.shape[-1] ** -0.5 if scaling is None else scaling


def visible(mask: Tensor) -> Bool[Tensor, "..."]:
    """Mark where a boolean or additive attention mask lets a query attend to a key."""
    return mask if mask.dtype == torch.bool else mask > torch.finfo(mask.dtype).min / 2
