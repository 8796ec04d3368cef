"""Agreement: how near a sparse plan's log-probs of given tokens are to the dense ones."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from attention_probes.sparse.attention import sparse
from attention_probes.sparse.plan import SparsePlan

# Axes: B texts, S tokens, N real tokens behind the first.


@torch.no_grad()
def agreement(
    model: nn.Module, plan: SparsePlan, inputs: dict[str, Tensor], *, last: int | None = None
) -> tuple[Float[Tensor, " N"], float]:
    """Return exp(-|gap|) of every real token's log-prob, 1 where both agree, and the density.

    `inputs` are `input_ids` and `attention_mask`, padded on the left; with `last` only so many at the end count.
    """
    dense = _logprobs(model, inputs, last)
    with sparse(model, plan) as attention:
        chosen = _logprobs(model, inputs, last)
    assert attention is not None
    counted = (inputs["attention_mask"][:, :-1] * inputs["attention_mask"][:, 1:]).bool()[:, -dense.shape[1] :]
    share = attention.mean_density()
    return (dense - chosen).abs().neg().exp()[counted], 1.0 if share is None else share


def _logprobs(model: Any, inputs: dict[str, Tensor], last: int | None) -> Float[Tensor, "B S"]:
    """Return the log-probs of the tokens behind the first."""
    ids, mask = inputs["input_ids"], inputs["attention_mask"]
    positions = (mask.cumsum(dim=1) - 1).clamp(min=0)
    keep = min(ids.shape[1], 1 + (last or ids.shape[1]))
    logits = model(**inputs, position_ids=positions, use_cache=False, logits_to_keep=keep).logits[:, :-1]
    targets = ids[:, ids.shape[1] - keep + 1 :]
    return logits.float().log_softmax(dim=-1).gather(2, targets[..., None]).squeeze(2)
