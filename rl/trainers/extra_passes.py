"""Extra passes: forward passes of the GRPO policy outside its loss, for attention readings and for log-probs."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any

import torch
from peft import PeftModel
from torch import Tensor

from rl.credit.columns import batch_spans
from rl.credit.reader import ProbeReader, as_columns
from rl.models.eval_mode import eval_mode
from rl.models.shared_prompts import SharedPrompts

# Axes: B rows, S padded tokens of prompt and completion, T of the completion.

Logps = tuple[Tensor, Tensor | None, Tensor | None]
"""Log-probs (B, T), entropies, and an auxiliary loss."""
Forward = Callable[..., Logps]
"""TRL's `_get_per_token_logps_and_entropies(model, ids, mask, keep)`."""
Prepare = Callable[[Tensor, Tensor, int], AbstractContextManager[SharedPrompts | None]]
"""Packs some rows of a batch with this mask, of whose columns so many are completions, and applies their gates."""


@torch.no_grad()
def separate_readings(
    forward: Forward, reader: ProbeReader, policy: PeftModel, batch: Mapping[str, Any], *, prepare: Prepare, rows: int
) -> dict[str, Tensor]:
    """Read the attention of a whole generation batch, `rows` rows a pass; return the readings as columns."""
    ids = torch.cat([batch["prompt_ids"], batch["completion_ids"]], dim=1)
    mask = torch.cat([batch["prompt_mask"], batch["completion_mask"]], dim=1)
    spans, length = batch_spans(batch), batch["completion_ids"].shape[1]
    parts = []
    for part in torch.arange(len(ids)).split(rows):
        part_spans = None if spans is None else spans[part]
        with (
            eval_mode(policy),
            prepare(part, mask, length) as shared,
            reader.recording(policy, spans=part_spans) as recorder,
        ):
            assert recorder is not None
            recorder.texts = None if shared is None else shared.texts
            forward(policy, ids[part], mask[part], length)
            parts.append(as_columns(reader.read(recorder, length)))
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}


def logps_in_parts(
    forward: Forward,
    model: Any,
    ids: Tensor,
    mask: Tensor,
    keep: int,
    *,
    prepare: Prepare,
    batch_size: int | None = None,
    **options: Any,
) -> Logps:
    """Return what `forward` returns of ids (B, S), in TRL's own chunks, each prepared."""
    parts = []
    for rows in torch.arange(len(ids)).split(batch_size or len(ids)):
        with prepare(rows, mask, keep):
            parts.append(forward(model, ids[rows], mask[rows], keep, **options))
    logps, entropies, aux_losses = zip(*parts, strict=True)
    entropy = None if entropies[0] is None else torch.cat(entropies)
    return torch.cat(logps), entropy, None if aux_losses[0] is None else torch.stack(aux_losses).mean()
