"""Block-sparse attention: each block of queries against the blocks of keys that it reads, and against no other."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F

from attention_probes.sparse.plan import Rules, Texts
from attention_probes.sparse.readers import readers_of

# Axes: B texts, H query heads, K key heads, S tokens, N blocks of b tokens, D head dimension,
# U readers of R rows each (see readers.py), P tokens of the queries.

GATHERED = 16_384
"""Keys gathered at a time. Fewer call the kernel too often, and more have left the cache when they are multiplied."""


def sparse_attention(
    texts: Texts, value: Float[Tensor, "B K S D"], keep: Bool[Tensor, "_ _ N N"], block: int, rules: Rules
) -> Float[Tensor, "B H S D"]:
    """Return the attention's output, anything at padding; on CUDA by FlexAttention where it knows the rules.

    On the CPU the selected key blocks are gathered and attended to by torch's own kernel, together for all blocks of
    queries that read equally many: nothing is ever S x S, and no block is multiplied that is not read.
    """
    if texts.query.is_cuda and rules.softcap is None and not rules.dropout:
        from attention_probes.sparse.flex import flex_attention_output  # compiles; only where it can be used

        return flex_attention_output(texts, value, keep, block, rules.window)
    dense = leading_dense_blocks(keep)
    if rules.window is not None and rules.window < dense * block:
        dense = 0
    parts, head = [], slice(0, dense * block)
    if dense:
        query, key, values = (tensor[:, :, head] for tensor in (texts.query, texts.key, value))
        parts.append(_attend(query, key, values, None, texts.scale, rules))
    if dense < keep.shape[-1]:
        parts.append(_gathered_attention(texts, value, keep, dense, block, rules))
    return torch.cat(parts, dim=2)


def leading_dense_blocks(keep: Bool[Tensor, "_ _ N N"]) -> int:
    """Return how many blocks of queries, from the first on, read all up to their own in every head."""
    everything = torch.ones_like(keep[0, 0]).tril()
    complete = (keep == everything).all(dim=-1).flatten(0, 1).all(dim=0)
    return int(complete.long().cumprod(dim=0).sum())


def _gathered_attention(
    texts: Texts, value: Tensor, keep: Tensor, first: int, block: int, rules: Rules
) -> Float[Tensor, "B H P D"]:
    """Return the output of the blocks of queries from `first` on."""
    readers = readers_of(keep, texts, first)
    query_URD = readers.split_queries(texts.query[:, :, first * block :], block)
    blocks = [tensor.flatten(0, 1).unflatten(1, (-1, block)).flatten(0, 1) for tensor in (texts.key, value)]
    order, outputs = [], []
    for some, rows in readers.of_equal_length(GATHERED // block):
        allowed = readers.visible_tokens(some, rows.shape[1], block, rules.window)
        key, values = (tensor[rows].flatten(1, 2)[:, None] for tensor in blocks)
        outputs.append(_attend(query_URD[some][:, None], key, values, allowed, texts.scale, rules))
        order.append(some)
    return readers.join_heads(torch.cat(outputs)[torch.cat(order).argsort(), 0], block)


def _attend(query: Tensor, key: Tensor, value: Tensor, allowed: Tensor | None, scale: float, rules: Rules) -> Tensor:
    """Return the output of queries over the keys that they may see, or over all up to themselves."""
    if rules.softcap is None:
        return F.scaled_dot_product_attention(
            query,
            key,
            value,
            attn_mask=allowed,
            is_causal=allowed is None,
            dropout_p=rules.dropout,
            scale=scale,
            enable_gqa=key.shape[1] != query.shape[1],
        )
    if allowed is None:
        allowed = torch.ones(query.shape[2], key.shape[2], dtype=torch.bool, device=query.device).tril()
    groups = query.shape[1] // key.shape[1]
    key, value = key.repeat_interleave(groups, dim=1), value.repeat_interleave(groups, dim=1)
    logits = rules.softcap * torch.tanh(query.float() @ key.float().transpose(-1, -2) * scale / rules.softcap)
    weights = F.dropout(logits.masked_fill(~allowed, -torch.inf).softmax(dim=-1), rules.dropout)
    return (weights @ value.float()).to(query.dtype)
