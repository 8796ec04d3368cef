"""Sparse attention of a model: its prompts read by a plan, its later tokens densely."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from jaxtyping import Bool, Float
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
        spans = _text_spans(real_BS)
        states = query, key, value
        query, key, value = (_left_aligned(one, spans, plan.block) for one in states)
        lengths_B = real_BS.sum(dim=1)
        texts = Texts(query=query, key=key, lengths=lengths_B, scale=scale_of(query, options.get("scaling")))
        keep = plan.keep(texts)
        share = density(keep, lengths_B, plan.block)
        if share >= 1.0:
            return original(module, *states, mask, **options)
        self.densities[layer] = share
        rules = Rules(
            window=options.get("sliding_window"),
            softcap=options.get("softcap"),
            dropout=options.get("dropout", 0.0),
        )
        output = sparse_attention(texts, value, keep, plan.block, rules)
        return _put_back(output, spans, real_BS.shape[1]), None


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


def _text_spans(real: Bool[Tensor, "B S"]) -> list[slice]:
    """Return where each text lies, from its first real token to its last.

    Raises ProbeError for padding inside a text: its blocks would not be those of the text alone.
    """
    starts, lengths = real.float().argmax(dim=1).tolist(), real.sum(dim=1).tolist()
    spans = [slice(start, start + length) for start, length in zip(starts, lengths, strict=True)]
    if not all(bool(row[span].all()) for row, span in zip(real, spans, strict=True)):
        raise ProbeError("sparse attention reads texts with padding at their ends, and found some inside a text")
    return spans


def _left_aligned(states: Float[Tensor, "B H S D"], spans: Sequence[slice], block: int) -> Float[Tensor, "B H P D"]:
    """Return each text's states from its first real token on, with zeros behind it up to a whole block."""
    length = -(-states.shape[2] // block) * block
    rows = [row[:, span] for row, span in zip(states, spans, strict=True)]
    return torch.stack([nn.functional.pad(row, (0, 0, 0, length - row.shape[1])) for row in rows])


def _put_back(output: Float[Tensor, "B H P D"], spans: Sequence[slice], length: int) -> Float[Tensor, "B S H D"]:
    """Return each text's output at its place in the batch; 0 at padding."""
    rows = [row.transpose(0, 1)[: span.stop - span.start] for row, span in zip(output, spans, strict=True)]
    padding = [(0, 0, 0, 0, span.start, length - span.stop) for span in spans]
    return torch.stack([nn.functional.pad(row, one) for row, one in zip(rows, padding, strict=True)])
