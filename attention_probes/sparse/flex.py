"""FlexAttention for sparse plans: one kernel on CUDA that skips the key blocks which nothing reads."""

from functools import cache
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.attention.flex_attention import BlockMask, flex_attention

from attention_probes.sparse.plan import Texts, selected_blocks


def flex_attention_output(
    texts: Texts, value: Float[Tensor, "B K S D"], keep: Bool[Tensor, "_ _ N N"], block: int, window: int | None
) -> Float[Tensor, "B H S D"]:
    """Return the attention's output; anything at padding."""
    attend = _compiled() if texts.query.is_cuda else flex_attention
    mask = block_mask(keep, block, window)
    grouped = texts.key.shape[1] != texts.query.shape[1]
    output: Any = attend(texts.query, texts.key, value, block_mask=mask, scale=texts.scale, enable_gqa=grouped)
    return output


def block_mask(keep: Bool[Tensor, "_ _ N N"], block: int, window: int | None) -> BlockMask:
    """Return the plan as FlexAttention takes it.

    The choice of blocks stands in the token rule as well: without compilation the lists of blocks are ignored.
    """
    (batch, heads), length = keep.shape[:2], keep.shape[-1] * block
    reach = length if window is None else window
    order, exists = selected_blocks(keep)
    columns = torch.zeros(keep.shape, dtype=torch.int32, device=keep.device)
    columns[..., : order.shape[-1]] = order.to(torch.int32)
    return BlockMask.from_kv_blocks(
        exists.sum(dim=-1, dtype=torch.int32),
        columns,
        BLOCK_SIZE=block,
        # A lambda: the tests check the types of every named function, which no compiler can trace.
        mask_mod=lambda row, head, query, key: (
            keep[row % batch, head % heads, query // block, key // block] & (key <= query) & (query - key < reach)
        ),
        seq_lengths=(length, length),
    )


@cache
def _compiled() -> Any:
    return torch.compile(flex_attention, dynamic=True)
