"""Sparse attention of a model: its prompts read by a plan, its later tokens densely."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from attention_probes.errors import ProbeError
from attention_probes.layer import scale_of
from attention_probes.replacement import (
    Attention,
    real_queries,
    refuse_packed_texts,
    replace_attention,
    restore_attention,
)
from attention_probes.sparse.compute import Rules, sparse_attention
from attention_probes.sparse.plan import SparsePlan, Texts, density

# Axes: B rows of the batch, H heads, S tokens, P tokens from the first real one up to a whole block, D head dimension.


class SparseAttention:
    """Replaces a model's attention by a plan's, in forward passes over whole texts.

    A pass that continues a cache reads all of it. The first `plan.dense_layers` layers, and texts so short that the
    plan leaves nothing out, keep the model's own kernel, bit for bit.
    """

    def __init__(self, plan: SparsePlan):
        self.plan = plan
        self.densities: dict[int, Tensor] = {}
        """Of each layer that the plan chose for in the last forward pass, the share of the blocks that were read."""

    def mean_density(self) -> float | None:
        """Return the mean over the layers of the last pass; None if the plan chose for none."""
        return torch.stack(list(self.densities.values())).mean().item() if self.densities else None

    def __call__(
        self,
        original: Attention,
        module: nn.Module,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        mask: Tensor | None,
        **options: Any,
    ) -> tuple[Tensor, Tensor | None]:
        layer, plan = int(module.layer_idx), self.plan  # pyright: ignore[reportArgumentType]
        continues = query.shape[2] != key.shape[2]
        if continues or layer < plan.dense_layers or query.shape[2] <= plan.block:
            return original(module, query, key, value, mask, **options)
        if plan.looks_ahead and torch.is_grad_enabled():
            raise ProbeError(
                f"the sparse plan {plan.name!r} chooses what a token reads by later tokens, so a training forward pass "
                "must not use it; train with dense attention, or with one of window, power and hip"
            )
        real_BS = real_queries(mask, query, key.shape[2])
        refuse_packed_texts(mask, real_BS, options.get("sliding_window"))
        index_BP, lengths_B = _left_aligned(real_BS, plan.block)
        texts = Texts(
            query=_take(query, index_BP),
            key=_take(key, index_BP),
            lengths=lengths_B,
            scale=scale_of(query, options.get("scaling")),
        )
        keep = plan.keep(texts)
        share = density(keep, lengths_B, plan.block)
        if share >= 1.0:
            return original(module, query, key, value, mask, **options)
        self.densities[layer] = share
        rules = Rules(
            window=options.get("sliding_window"),
            softcap=options.get("softcap"),
            dropout=options.get("dropout", 0.0),
        )
        output = sparse_attention(texts, _take(value, index_BP), keep, plan.block, rules)
        return _put_back(output, real_BS).transpose(1, 2), None


@contextmanager
def sparse(model: nn.Module, plan: SparsePlan | None) -> Iterator[SparseAttention | None]:
    """Have the model's attention computed by the plan in the block; None leaves it as it is.

    Raises ProbeError for attention that cannot be replaced, and in the block for padding inside a text and for training
    forward passes under a plan that looks ahead.
    """
    if plan is None:
        yield None
        return
    attention = SparseAttention(plan)
    replace_attention(model, attention)
    try:
        yield attention
    finally:
        restore_attention(model)


def _left_aligned(real: Bool[Tensor, "B S"], block: int) -> tuple[Int[Tensor, "B P"], Int[Tensor, " B"]]:
    """Return where each text's tokens lie, from its first real one on and up to a whole block, and their number.

    Raises ProbeError for padding inside a text: its blocks would not be those of the text alone.
    """
    lengths, start = real.sum(dim=1), real.float().argmax(dim=1)
    position = torch.arange(-(-real.shape[1] // block) * block, device=real.device)
    index = start[:, None] + position
    inside = position < lengths[:, None]
    index = torch.where(inside, index, 0).clamp(max=real.shape[1] - 1)
    if not real.gather(1, index).where(inside, True).all():
        raise ProbeError("sparse attention reads texts with padding at their ends, and found some inside a text")
    return index, lengths


def _take(tensor: Float[Tensor, "B H S D"], index: Int[Tensor, "B P"]) -> Float[Tensor, "B H P D"]:
    return tensor.gather(2, index[:, None, :, None].expand(-1, tensor.shape[1], -1, tensor.shape[3]))


def _put_back(output: Float[Tensor, "B H P D"], real: Bool[Tensor, "B S"]) -> Float[Tensor, "B H S D"]:
    """Return each token's output at its place in the batch; 0 at padding."""
    position = (real.long().cumsum(dim=1) - 1).clamp(min=0)
    return _take(output, position).masked_fill(~real[:, None, :, None], 0.0)
