"""Sink calibration: heads that pay less to attention sinks, and more to everything else (ACT, arXiv 2406.15765)."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from transformers import DynamicCache

from attention_probes.errors import ProbeError
from attention_probes.heads import Head, HeadRoles
from attention_probes.layer import scale_of, visible
from attention_probes.replacement import (
    Attention,
    pretrained_model,
    real_queries,
    refuse_packed_texts,
    repeat_heads,
    replace_attention,
    replacement_of,
    restore_attention,
)

# Axes: B rows of the batch, H calibrated heads, T queries of the forward pass, S keys, R rows and C columns of a block.

CALIBRATION = "calibration"
"""Key of a calibration in a file of head roles."""
BLOCK = 64
"""Rows worked on at a time."""
LEAST_REST = 1e-4
"""A row with less attention outside its sinks keeps them: there is nothing that the rest could be given to."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Calibration:
    """Which heads are calibrated, and how. Raises ProbeError for values outside their range.

    A column is a sink of a head where its mean received attention, over the queries so far that can see it, is above
    `threshold`; the first token is none. A sink's attention is multiplied by `beta`, and what is removed goes to the
    other columns in proportion to their attention.

    Example:
        Calibration(heads=((10, 0), (12, 3)), beta=0.4)
    """

    heads: tuple[Head, ...]
    threshold: float = 0.1
    """The paper's. Attention per query; an even share is less in any text of more than ten tokens."""
    beta: float = 0.4
    """The published code's; 1 changes nothing."""
    first_receives: bool = False
    """Whether the first token is among the others that get the removed attention. It is so in the published code, where
    the first token, the largest sink of all, gets most of it."""
    min_queries: int = 10
    """Columns that fewer queries can see are no sinks: a token alone gives itself all."""

    def __post_init__(self) -> None:
        if not 0.0 <= self.beta <= 1.0 or not 0.0 < self.threshold < 1.0 or self.min_queries < 1:
            raise ProbeError(
                "a calibration needs beta from 0 to 1, a threshold between 0 and 1 and min_queries of at least 1; got "
                f"{self.beta}, {self.threshold} and {self.min_queries}"
            )

    def in_layer(self, layer: int) -> list[int]:
        """Return the calibrated heads of one layer; none where nothing would change."""
        return sorted(head for head_layer, head in set(self.heads) if head_layer == layer and self.beta < 1.0)

    def save(self, path: Path, roles: HeadRoles | None = None) -> None:
        """Write one JSON file, which with `roles` also serves as the file of those."""
        document = {CALIBRATION: asdict(self)} | ({} if roles is None else asdict(roles))
        temporary = path.with_name(f".{path.name}.tmp")
        temporary.write_text(json.dumps(document, indent=1) + "\n")
        temporary.replace(path)

    @classmethod
    def load(cls, path: Path) -> "Calibration":
        """Read a file of `save`. Raises ProbeError if it holds no calibration."""
        document = json.loads(path.read_text(encoding="utf-8-sig"))
        fields = document.get(CALIBRATION)
        if not isinstance(fields, dict) or not set(fields) <= set(cls.__dataclass_fields__) or "heads" not in fields:
            raise ProbeError(
                f"{path} holds no calibration; `heed probe sinks` writes one (it holds {sorted(document)})"
            )
        return cls(**{**fields, "heads": tuple((layer, head) for layer, head in fields["heads"])})


@dataclass(frozen=True, kw_only=True, slots=True)
class _Seen:
    """What one layer's columns have received so far, so that decoding finds the sinks that a whole pass finds."""

    received: Float[Tensor, "B H S"]
    queries: Float[Tensor, "B S"]
    """How many queries could see each column."""
    first: Bool[Tensor, "B S"]
    """The first real token."""

    def ahead(self, first: Bool[Tensor, "B T"]) -> "_Seen":
        """Return the same with columns for new tokens, of which `first` are first tokens."""
        pad = (0, first.shape[1])
        return _Seen(
            received=nn.functional.pad(self.received, pad),
            queries=nn.functional.pad(self.queries, pad),
            first=torch.cat([self.first, first], dim=1),
        )


class SinkCalibrator:
    """Replaces a model's attention by the calibrated one.

    A row's sinks depend on the rows up to it, so that sampling token by token, a whole forward pass over the same
    tokens, and the loss's with gradients compute the same; the published code looks at all rows, later ones too.
    """

    def __init__(self, calibration: Calibration):
        self.calibration = calibration
        self.strengths: Float[Tensor, "layers heads"] | None = None
        """How far each head's output is moved to the calibrated one, with gradients; None is all the way, 1."""
        self._seen: dict[int, _Seen] = {}

    def repeat_interleave(self, repeats: int) -> None:
        """Repeat what was seen, as a cache's `batch_repeat_interleave` does."""
        self._reorder(lambda values: values.repeat_interleave(repeats, dim=0))

    def select(self, rows: Tensor) -> None:
        """Keep these rows, in this order, as a cache's `batch_select_indices` does."""
        self._reorder(lambda values: values[rows.to(values.device)])

    def _reorder(self, change: Any) -> None:
        self._seen = {
            layer: _Seen(received=change(seen.received), queries=change(seen.queries), first=change(seen.first))
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
        block = _Heads(
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
            mixed_BHTD, maps, changed_BHT, self._seen[layer] = _calibrate(
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

    def _columns_seen(self, layer: int, block: "_Heads") -> _Seen:
        """Return what the layer's columns have received before this pass, with a column for each new token."""
        num_new, num_keys = block.query.shape[2], block.key.shape[2]
        num_cached = num_keys - num_new
        real_BT = block.real()
        if num_cached == 0:
            batch, heads = block.query.shape[:2]
            nothing = _Seen(
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
        last = _Seen(received=seen.received[:, :, cut], queries=seen.queries[:, cut], first=seen.first[:, cut])
        return last.ahead(torch.zeros_like(real_BT))


@dataclass(frozen=True, kw_only=True, slots=True)
class _Heads:
    """The calibrated heads of one layer in one forward pass, each with its own keys and values."""

    query: Float[Tensor, "B H T D"]
    key: Float[Tensor, "B H S D"]
    value: Float[Tensor, "B H S D"]
    mask: Tensor | None
    scale: float
    softcap: float | None
    dropout: float

    def allowed(self, rows: slice, columns: slice) -> Bool[Tensor, "*B 1 R C"]:
        """Return which keys each of some queries may see."""
        if self.mask is not None:
            return visible(self.mask[:, :, rows, columns])
        offset, device = self.key.shape[2] - self.query.shape[2], self.query.device
        row = torch.arange(rows.start, rows.stop, device=device) + offset
        return (row[:, None] >= torch.arange(columns.start, columns.stop, device=device))[None, None]

    def real(self) -> Bool[Tensor, "B T"]:
        """Mark the queries that are not padding."""
        return real_queries(self.mask, self.query, self.key.shape[2])

    def attention(self, rows: slice, columns: slice) -> Float[Tensor, "B H R C"]:
        """Return the heads' own attention in float32, 0 where a key is hidden or the query is padding."""
        logits = (self.query[:, :, rows].float() * self.scale) @ self.key[:, :, columns].float().transpose(-1, -2)
        if self.softcap is not None:
            logits = (logits / self.softcap).tanh() * self.softcap
        if self.mask is not None and self.mask.dtype != torch.bool:
            logits = logits + self.mask[:, :, rows, columns]
        hidden = ~(self.allowed(rows, columns) & self.real()[:, None, rows, None])
        # Rows of padding see nothing; a softmax over nothing would be NaN, in gradients too.
        blind = hidden.all(dim=-1, keepdim=True)
        return logits.masked_fill(hidden & ~blind, -torch.inf).softmax(dim=-1).masked_fill(hidden, 0.0)


def _calibrate(
    heads: _Heads, seen: _Seen, calibration: Calibration, *, keep_maps: bool
) -> tuple[Float[Tensor, "B H T D"], list[Tensor], Bool[Tensor, "B H T"], _Seen]:
    """Return the heads' output, their attention block by block if kept, the rows that changed, and what was seen."""
    outputs, maps, changes, num_keys = [], [], [], heads.key.shape[2]
    offset = num_keys - heads.query.shape[2]
    for start in range(0, heads.query.shape[2], BLOCK):
        rows = slice(start, min(start + BLOCK, heads.query.shape[2]))
        columns = slice(0, offset + rows.stop)
        attention = heads.attention(rows, columns)
        allowed = heads.allowed(rows, columns) & heads.real()[:, None, rows, None]
        received = seen.received[:, :, None, columns] + attention.detach().cumsum(dim=2)
        queries = seen.queries[:, None, None, columns] + allowed.float().cumsum(dim=2)
        first = seen.first[:, None, None, columns]
        sinks = (received > calibration.threshold * queries) & (queries >= calibration.min_queries) & ~first
        calibrated, changed = calibrate_rows(attention, sinks & allowed, first, calibration)
        dropped = nn.functional.dropout(calibrated, heads.dropout) if heads.dropout else calibrated
        outputs.append(dropped @ heads.value[:, :, columns].float())
        beyond = (0, num_keys - columns.stop)
        if keep_maps:
            maps.append(nn.functional.pad(calibrated, beyond))
        changes.append(changed)
        seen = replace(
            seen,
            received=nn.functional.pad(received[:, :, -1], beyond),
            queries=nn.functional.pad(queries[:, 0, -1], beyond),
        )
    return torch.cat(outputs, dim=2), maps, torch.cat(changes, dim=2), seen


def calibrate_rows(
    attention: Float[Tensor, "B H R C"],
    sinks: Bool[Tensor, "B H R C"],
    first: Bool[Tensor, "B 1 1 C"],
    calibration: Calibration,
) -> tuple[Float[Tensor, "B H R C"], Bool[Tensor, "B H R"]]:
    """Return the rows with less attention on their sinks, each with the sum that it had, and which of them changed.

    A'[t, s] = beta A[t, s] at sinks; elsewhere A[t, s] (1 + removed_t / rest_t), where rest_t is the row's attention
    to all that receives.
    """
    receives = ~sinks if calibration.first_receives else ~sinks & ~first
    removed = (1.0 - calibration.beta) * (attention * sinks).sum(dim=-1, keepdim=True)
    rest = (attention * receives).sum(dim=-1, keepdim=True)
    changes = (removed > 0.0) & (rest > LEAST_REST)
    gain = 1.0 + removed / rest.clamp(min=LEAST_REST)
    scaled = attention * torch.where(sinks, calibration.beta, torch.where(receives, gain, 1.0))
    return torch.where(changes, scaled, attention), changes.squeeze(-1)


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
