"""Calibrated rows: the attention of calibrated heads, block by block, with less on the sinks of each row."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from attention_probes.calibration import Calibration
from attention_probes.layer import visible
from attention_probes.replacement import real_queries

# Axes: B rows of the batch, H calibrated heads, T queries of the forward pass, S keys, R rows and C columns of a block.

BLOCK = 64
"""Rows worked on at a time."""
LEAST_REST = 1e-4
"""A row with less attention outside its sinks keeps them: there is nothing that the rest could be given to."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ColumnsSeen:
    """What one layer's columns have received so far, so that decoding finds the sinks that a whole pass finds."""

    received: Float[Tensor, "B H S"]
    queries: Float[Tensor, "B S"]
    """How many queries could see each column."""
    first: Bool[Tensor, "B S"]
    """The first real token."""

    def ahead(self, first: Bool[Tensor, "B T"]) -> "ColumnsSeen":
        """Return the same with columns for new tokens, of which `first` are first tokens."""
        pad = (0, first.shape[1])
        return ColumnsSeen(
            received=nn.functional.pad(self.received, pad),
            queries=nn.functional.pad(self.queries, pad),
            first=torch.cat([self.first, first], dim=1),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class CalibratedHeads:
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


def calibrate_blocks(
    heads: CalibratedHeads, seen: ColumnsSeen, calibration: Calibration, *, keep_maps: bool
) -> tuple[Float[Tensor, "B H T D"], list[Tensor], Bool[Tensor, "B H T"], ColumnsSeen]:
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
