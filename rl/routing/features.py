"""Features: a router's inputs, computed by the frozen base alone, so that training an adapter changes none."""

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
"""Distances of the later tokens whose attention is added up."""


class _StopForward(Exception):
    """Raised to end a forward pass after the layer whose output is needed."""


@torch.no_grad()
def token_features(
    policy: PeftModel, ids: Int[Tensor, "P L"], mask: Bool[Tensor, "P L"], *, layer: int
) -> Float[Tensor, "P L D"]:
    """Return the embeddings, or the outputs of layer `layer` of the base, each token's normalised."""
    base: Any = policy.get_base_model()
    embed = base.get_input_embeddings()
    states = embed(ids) if layer == 0 else _hidden_states(policy, ids, mask, layer=layer)
    return nn.functional.layer_norm(states.float(), states.shape[-1:])


@torch.no_grad()
def attended_features(policy: PeftModel, ids: Int[Tensor, "P L"], mask: Bool[Tensor, "P L"]) -> Float[Tensor, "P D"]:
    """Return the token features averaged by future attention influence (FAI, arXiv 2510.13554).

    A token's FAI is the attention that the prompt's later tokens pay to it. The first token is left out: as an
    attention sink it would take most of the weight.
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
    """Return the mean over a prompt's tokens."""
    real = mask[..., None].to(features)
    return (features * real).sum(dim=1) / real.sum(dim=1)


def _hidden_states(policy: PeftModel, ids: Tensor, mask: Tensor, *, layer: int) -> Tensor:
    base: Any = policy.get_base_model()
    layers = base.get_decoder().layers
    if layer > len(layers):
        raise UserError(f"routing.layer={layer}, but the model has {len(layers)} layers")
    captured: list[Tensor] = []

    def stop(module: nn.Module, inputs: object, output: Tensor | tuple) -> None:
        captured.append(output if isinstance(output, Tensor) else output[0])
        raise _StopForward

    handle = layers[layer - 1].register_forward_hook(stop)
    try:
        with policy.disable_adapter(), eval_mode(policy):
            policy(input_ids=ids, attention_mask=mask.long(), use_cache=False)
    except _StopForward:
        return captured[0]
    finally:
        handle.remove()
    raise AssertionError("the hook always ends the pass")
