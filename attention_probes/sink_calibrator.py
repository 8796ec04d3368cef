"""Sink calibrator: a model's attention replaced by the calibrated one, in whole passes and while decoding."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from transformers import DynamicCache

from attention_probes.calibrated_rows import CalibratedHeads, ColumnsSeen, calibrate_blocks
from attention_probes.calibration import Calibration
from attention_probes.errors import ProbeError
from attention_probes.layer import scale_of
from attention_probes.replacement import (
    Attention,
    pretrained_model,
    refuse_packed_texts,
    repeat_heads,
    replace_attention,
    replacement_of,
    restore_attention,
)

# Axes: B rows of the batch, H calibrated heads, T queries of the forward pass, S keys, R rows and C columns of a block.


class SinkCalibrator:
    """Replaces a model's attention by the calibrated one.

    A row's sinks depend on the rows up to it, so that sampling token by token, a whole forward pass over the same
    tokens, and the loss's with gradients compute the same; the published code looks at all rows, later ones too.
    """

    def __init__(self, calibration: Calibration):
        self.calibration = calibration
        self.strengths: Float[Tensor, "layers heads"] | None = None
        """How far each head's output is moved to the calibrated one, with gradients; None is all the way, 1."""
        self._seen: dict[int, ColumnsSeen] = {}

    def repeat_interleave(self, repeats: int) -> None:
        """Repeat what was seen, as a cache's `batch_repeat_interleave` does."""
        self._reorder(lambda values: values.repeat_interleave(repeats, dim=0))

    def select(self, rows: Tensor) -> None:
        """Keep these rows, in this order, as a cache's `batch_select_indices` does."""
        self._reorder(lambda values: values[rows.to(values.device)])

    def _reorder(self, change: Any) -> None:
        self._seen = {
            layer: ColumnsSeen(received=change(seen.received), queries=change(seen.queries), first=change(seen.first))
            for layer, seen in self._seen.items()
        }

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
        output, weights = original(module, query, key, value, mask, **options)
        heads = self.calibration.in_layer(layer := int(module.layer_idx))  # pyright: ignore[reportArgumentType]
        if not heads:
            return output, weights
        block = CalibratedHeads(
            query=query[:, heads],
            key=repeat_heads(key, query.shape[1], heads),
            value=repeat_heads(value, query.shape[1], heads),
            mask=mask,
            scale=scale_of(query, options.get("scaling")),
            softcap=options.get("softcap"),
            dropout=options.get("dropout", 0.0),
        )
        if query.shape[2] == key.shape[2]:
            refuse_packed_texts(mask, block.real(), options.get("sliding_window"))
        seen = self._columns_seen(layer, block)
        with torch.autocast(query.device.type, enabled=False):
            mixed_BHTD, maps, changed_BHT, self._seen[layer] = calibrate_blocks(
                block, seen, self.calibration, keep_maps=weights is not None
            )
        index = torch.tensor(heads, device=output.device)
        # A row without a sink keeps the kernel's own numbers, bit for bit.
        kept = output[:, :, heads]
        new = torch.where(changed_BHT.transpose(1, 2)[..., None], mixed_BHTD.transpose(1, 2).to(output.dtype), kept)
        if self.strengths is not None:
            new = kept + self.strengths[layer, heads][:, None] * (new - kept)
        if weights is not None:
            weights = weights.index_copy(1, index, torch.cat(maps, dim=2).to(weights.dtype))
        return output.index_copy(2, index, new), weights

    def _columns_seen(self, layer: int, block: "CalibratedHeads") -> ColumnsSeen:
        """Return what the layer's columns have received before this pass, with a column for each new token."""
        num_new, num_keys = block.query.shape[2], block.key.shape[2]
        num_cached = num_keys - num_new
        real_BT = block.real()
        if num_cached == 0:
            batch, heads = block.query.shape[:2]
            nothing = ColumnsSeen(
                received=block.key.new_zeros((batch, heads, 0), dtype=torch.float32),
                queries=block.key.new_zeros((batch, 0), dtype=torch.float32),
                first=real_BT[:, :0],
            )
            return nothing.ahead(real_BT & (real_BT.cumsum(dim=1) == 1))
        seen = self._seen.get(layer)
        if seen is None or len(seen.first) != len(block.query) or seen.first.shape[1] < num_cached:
            raise ProbeError(
                f"layer {layer} is asked to go on behind {num_cached} cached tokens in {len(block.query)} rows, which "
                "the calibration did not see; sample with the cache of `calibrated_cache`, and no static one"
            )
        cut = slice(seen.first.shape[1] - num_cached, None)  # a sliding window's cache forgets the oldest
        last = ColumnsSeen(received=seen.received[:, :, cut], queries=seen.queries[:, cut], first=seen.first[:, cut])
        return last.ahead(torch.zeros_like(real_BT))


@contextmanager
def calibrated(
    model: nn.Module, calibration: Calibration | None, *, strengths: Float[Tensor, "layers heads"] | None = None
) -> Iterator[SinkCalibrator | None]:
    """Calibrate a model's attention in the block, each head by its strength; None leaves it as it is.

    Raises ProbeError for heads that the model lacks, and for attention that cannot be replaced.
    """
    if calibration is None:
        yield None
        return
    calibrator = calibrate(model, calibration)
    calibrator.strengths = strengths
    try:
        yield calibrator
    finally:
        restore_attention(model)


def calibrate(model: nn.Module, calibration: Calibration) -> SinkCalibrator:
    """Calibrate a model's attention from now on; see `calibrated`."""
    config = pretrained_model(model).config.get_text_config()
    layers, heads = range(config.num_hidden_layers), range(config.num_attention_heads)
    if absent := [(layer, head) for layer, head in calibration.heads if layer not in layers or head not in heads]:
        raise ProbeError(
            f"the calibration names heads {absent}; this model has {len(layers)} layers of {len(heads)} heads"
        )
    calibrator = SinkCalibrator(calibration)
    replace_attention(model, calibrator)
    return calibrator


def calibrated_cache(model: nn.Module, config: Any) -> DynamicCache:
    """Return an empty cache whose rows can be repeated and left out, also of a calibrated model."""
    calibrator = replacement_of(model)
    if isinstance(calibrator, SinkCalibrator):
        return _FollowedCache(calibrator, config=config)
    return DynamicCache(config=config)


class _FollowedCache(DynamicCache):
    """A cache that the calibrator follows when its rows change."""

    def __init__(self, calibrator: SinkCalibrator, **options: Any):
        super().__init__(**options)
        self.calibrator = calibrator

    def batch_repeat_interleave(self, repeats: int) -> None:
        super().batch_repeat_interleave(repeats)
        self.calibrator.repeat_interleave(repeats)

    def batch_select_indices(self, indices: Tensor) -> None:
        super().batch_select_indices(indices)
        self.calibrator.select(indices)

    def reorder_cache(self, beam_idx: torch.LongTensor) -> None:
        super().reorder_cache(beam_idx)
        self.calibrator.select(beam_idx)
