"""Extra passes: forward passes of the GRPO policy outside its loss, for attention readings and for routed log-probs."""

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any

import torch
from peft import PeftModel
from torch import Tensor

from rl.credit.columns import batch_spans
from rl.credit.reader import ProbeReader, as_columns
from rl.models.eval_mode import eval_mode
from rl.routing.route import Route

# Axes: B rows, N adapters, T completion tokens.

Forward = Callable[..., tuple[Tensor, Tensor | None, Tensor | None]]
"""TRL's `_get_per_token_logps_and_entropies(model, ids, mask, keep)` -> log-probs (B, T), entropies, auxiliary loss."""


@torch.no_grad()
def separate_readings(
    forward: Forward,
    reader: ProbeReader,
    policy: PeftModel,
    batch: Mapping[str, Any],
    *,
    route: Route | None,
    rows: int,
) -> dict[str, Tensor]:
    """Read the attention of a whole generation batch, `rows` rows a pass; return the readings as columns."""
    ids = torch.cat([batch["prompt_ids"], batch["completion_ids"]], dim=1)
    mask = torch.cat([batch["prompt_mask"], batch["completion_mask"]], dim=1)
    spans, length = batch_spans(batch), batch["completion_ids"].shape[1]
    parts = []
    for part in torch.arange(len(ids)).split(rows):
        part_spans = None if spans is None else spans[part]
        routed = nullcontext() if route is None else route.applied(batch["gates"][part])
        with eval_mode(policy), routed, reader.recording(policy, spans=part_spans) as recorder:
            assert recorder is not None
            forward(policy, ids[part], mask[part], length)
            parts.append(as_columns(reader.read(recorder, length)))
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}


def routed_logps(
    forward: Forward,
    route: Route,
    gates: Tensor,
    model: Any,
    ids: Tensor,
    mask: Tensor,
    keep: int,
    batch_size: int | None = None,
    **options: Any,
) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """Return what `forward` returns, in TRL's own chunks, each under its rows of the gates (B, N)."""
    parts = []
    for rows in torch.arange(len(ids)).split(batch_size or len(ids)):
        with route.applied(gates[rows]):
            parts.append(forward(model, ids[rows], mask[rows], keep, **options))
    logps, entropies, aux_losses = zip(*parts, strict=True)
    entropy = None if entropies[0] is None else torch.cat(entropies)
    return torch.cat(logps), entropy, None if aux_losses[0] is None else torch.stack(aux_losses).mean()
