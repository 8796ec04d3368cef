"""Features: what a router sees of a prompt, from the frozen base alone, so that training an adapter moves none."""

from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from peft import PeftModel
from torch import Tensor, nn

from attention_probes.record import ProbePlan, record_attention
from rl.common.errors import UserError
from rl.models.eval_mode import eval_mode

# Axes: P prompts, L padded prompt tokens, D width of the model.

HORIZON = (1, 64)
"""Of the future tokens whose attention the probe's summary adds up."""


class _Enough(Exception):
    """Raised by a layer whose output is all that is wanted."""


@torch.no_grad()
def token_features(
    policy: PeftModel, ids: Int[Tensor, "P L"], mask: Bool[Tensor, "P L"], *, layer: int
) -> Float[Tensor, "P L D"]:
    """The embeddings, or what the first `layer` layers of the base make of them, normalised a token."""
    base: Any = policy.get_base_model()
    embed = base.get_input_embeddings()
    states = embed(ids) if layer == 0 else _hidden(policy, ids, mask, layer=layer)
    return nn.functional.layer_norm(states.float(), states.shape[-1:])


@torch.no_grad()
def attended_features(policy: PeftModel, ids: Int[Tensor, "P L"], mask: Bool[Tensor, "P L"]) -> Float[Tensor, "P D"]:
    """The token features averaged by how much the prompt's later tokens look back to each (arXiv 2510.13554, FAI).

    The first token is left out: as a sink it would take most of it.
    """
    with (
        policy.disable_adapter(),
        eval_mode(policy),
        record_attention(policy, ProbePlan(horizon=HORIZON)) as recorder,
    ):
        policy(input_ids=ids, attention_mask=mask.long(), logits_to_keep=1)
        fai = recorder.read().fai.clone()
    fai[:, 0] = 0
    shares = fai.nan_to_num().masked_fill(~mask, 0)
    shares = shares / shares.sum(dim=1, keepdim=True).clamp(min=1e-12)
    return (shares[..., None] * token_features(policy, ids, mask, layer=0)).sum(dim=1)


def mean_features(features: Float[Tensor, "P L D"], mask: Bool[Tensor, "P L"]) -> Float[Tensor, "P D"]:
    """The mean over a prompt's tokens."""
    real = mask[..., None].to(features)
    return (features * real).sum(dim=1) / real.sum(dim=1)


def _hidden(policy: PeftModel, ids: Tensor, mask: Tensor, *, layer: int) -> Tensor:
    base: Any = policy.get_base_model()
    layers = base.get_decoder().layers
    if layer > len(layers):
        raise UserError(f"routing.layer={layer}, but the model has {len(layers)} layers")
    caught: list[Tensor] = []

    def stop(module: nn.Module, inputs: object, output: Tensor | tuple) -> None:
        caught.append(output if isinstance(output, Tensor) else output[0])
        raise _Enough

    handle = layers[layer - 1].register_forward_hook(stop)
    try:
        with policy.disable_adapter(), eval_mode(policy):
            policy(input_ids=ids, attention_mask=mask.long(), use_cache=False)
    except _Enough:
        return caught[0]
    finally:
        handle.remove()
    raise AssertionError("the hook always ends the pass")
