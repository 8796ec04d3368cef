"""Block-sparse attention: each block of queries against the blocks of keys that it reads, and against no other."""

from collections.abc import Iterator

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F

from attention_probes.sparse.plan import Rules, Texts, selected_blocks

# Axes: B texts, H query heads, K key heads, S tokens, N blocks of b tokens, M key blocks read, D head dimension.


def sparse_attention(
    texts: Texts, value: Float[Tensor, "B K S D"], keep: Bool[Tensor, "_ _ N N"], block: int, rules: Rules
) -> Float[Tensor, "B H S D"]:
    """Return the attention's output, 0 at padding; on CUDA by FlexAttention where it knows the rules.

    On the CPU the selected key blocks of one block of queries are gathered and attended to by torch's own kernel, one
    block of queries after the other: nothing is ever S x S.
    """
    if texts.query.is_cuda and rules.softcap is None and not rules.dropout:
        from attention_probes.sparse.flex import flex_attention_output  # compiles; only where it can be used

        output = flex_attention_output(texts, value, keep, block, rules.window)
    else:
        output = torch.cat(list(_blocks_of_output(texts, value, keep, block, rules)), dim=2)
    return output.masked_fill(~texts.real()[:, None, :, None], 0.0)


def _blocks_of_output(
    texts: Texts, value: Tensor, keep: Tensor, block: int, rules: Rules
) -> Iterator[Float[Tensor, "B H b D"]]:
    # Padding lies behind every real token, so what keeps to the past never reads it.
    dense = leading_dense_blocks(keep)
    if rules.window is not None and rules.window < dense * block:
        dense = 0
    if dense:
        head = slice(0, dense * block)
        yield _attend(texts.query[:, :, head], texts.key[:, :, head], value[:, :, head], None, texts.scale, rules)
    for number in range(dense, keep.shape[-1]):
        read, exists = selected_blocks(keep[..., number, : number + 1])
        rows = slice(number * block, (number + 1) * block)
        query = texts.query[:, :, rows]
        key, values = (gather_blocks(tensor, read, block, query.shape[1]) for tensor in (texts.key, value))
        allowed = visible_tokens(number, read, exists, block, rules.window)
        yield _attend(query, key, values, allowed, texts.scale, rules)


def leading_dense_blocks(keep: Bool[Tensor, "_ _ N N"]) -> int:
    """Return how many blocks of queries, from the first on, read all up to their own in every head."""
    everything = torch.ones_like(keep[0, 0]).tril()
    complete = (keep == everything).all(dim=-1).flatten(0, 1).all(dim=0)
    return int(complete.long().cumprod(dim=0).sum())


def gather_blocks(
    tensor: Float[Tensor, "B K S D"], read: Int[Tensor, "_ _ M"], block: int, num_heads: int
) -> Float[Tensor, "B heads read D"]:
    """Return the tokens of the blocks read: for each key head where all read the same, else for each query head."""
    blocks = tensor.unflatten(2, (-1, block))
    if read.shape[:2] == (1, 1):
        return blocks[:, :, read[0, 0]].flatten(2, 3)
    batch, groups = len(tensor), num_heads // tensor.shape[1]
    read = read.expand(batch, num_heads, -1)
    row = torch.arange(batch, device=tensor.device)[:, None, None]
    head = (torch.arange(num_heads, device=tensor.device) // groups)[None, :, None]
    return blocks[row, head, read].flatten(2, 3)


def visible_tokens(
    number: int,
    read: Int[Tensor, "_ _ M"],
    exists: Bool[Tensor, "_ _ M"],
    block: int,
    window: int | None,
) -> Bool[Tensor, "_ _ b read"]:
    """Mark the tokens of the blocks read that the queries of block `number` may attend to."""
    within = torch.arange(block, device=read.device)
    query = number * block + within[:, None]
    key = (read[..., None] * block + within).flatten(-2)[:, :, None]
    allowed = (key <= query) & exists.repeat_interleave(block, dim=-1)[:, :, None]
    return allowed if window is None else allowed & (query - key < window)


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
