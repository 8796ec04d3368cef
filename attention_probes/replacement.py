"""Replacement: the attention of one model computed by another function, by the name that transformers looks up."""

import sys
from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Bool
from torch import Tensor, nn
from transformers import AttentionInterface, PreTrainedModel
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS, AttentionMaskInterface
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from attention_probes.errors import ProbeError
from attention_probes.layer import visible

Attention = Callable[..., tuple[Tensor, Tensor | None]]
"""transformers' own: (module, query, key, value, mask, **options) -> output (B, T, H, D), and weights or None."""
Replacement = Callable[..., tuple[Tensor, Tensor | None]]
"""The same with the model's own function before the module."""

REPLACED = {"sdpa": "replaced_sdpa", "eager": "replaced_eager"}
"""Implementation -> the name that the caller of a replacement is registered under, with the mask of the original."""
HOLDER = "attention_replacement"
"""Attribute of each attention module."""


def replace_attention(model: nn.Module, replacement: Replacement) -> None:
    """Have `replacement(original, module, query, key, value, mask, **options)` compute the model's attention.

    Raises ProbeError for a model without sdpa or eager attention, and for one that is replaced already.
    """
    pretrained = pretrained_model(model)
    name = str(pretrained.config.get_text_config()._attn_implementation)
    if name not in REPLACED:
        raise ProbeError(
            f"attention implementation {name!r} cannot be replaced; call model.set_attn_implementation with one of "
            f"{tuple(REPLACED)}"
        )
    _register(name)
    for module in pretrained.modules():
        if isinstance(getattr(module, "layer_idx", None), int):
            setattr(module, HOLDER, replacement)
    pretrained.set_attn_implementation(REPLACED[name])


def restore_attention(model: nn.Module) -> None:
    """Give the model its own attention back."""
    pretrained = pretrained_model(model)
    by_replaced = {replaced: name for name, replaced in REPLACED.items()}
    pretrained.set_attn_implementation(by_replaced[str(pretrained.config.get_text_config()._attn_implementation)])
    for module in pretrained.modules():
        if hasattr(module, HOLDER):
            delattr(module, HOLDER)


def replacement_of(model: nn.Module) -> Replacement | None:
    """Return what computes the model's attention in place of its own function; None if nothing does."""
    return next((getattr(module, HOLDER) for module in model.modules() if hasattr(module, HOLDER)), None)


def pretrained_model(model: nn.Module) -> PreTrainedModel:
    """Return the transformers model inside its wrappers. Raises ProbeError if there is none, or it is compiled."""
    for module in model.modules():
        # torch.compile(model) wraps it around `_orig_mod`, model.compile() keeps the graph in the module itself.
        if hasattr(module, "_orig_mod") or module._compiled_call_impl is not None:
            raise ProbeError("a compiled model cannot be recorded: its graph no longer calls the attention function")
    pretrained = next((module for module in model.modules() if isinstance(module, PreTrainedModel)), None)
    if pretrained is None:
        raise ProbeError(
            f"record_attention needs a transformers model, bare or wrapped; {type(model).__name__} holds none"
        )
    return pretrained


def eager_attention(module: nn.Module) -> Attention:
    """Return the eager attention function, which is in each model's own file."""
    return sys.modules[type(module).__module__].eager_attention_forward


def real_queries(mask: Tensor | None, query: Tensor, num_keys: int) -> Bool[Tensor, "B T"]:
    """Mark the queries that are not padding: exactly those that see themselves, the last of the keys."""
    if mask is None:
        return torch.ones(len(query), query.shape[2], dtype=torch.bool, device=query.device)
    diagonal = mask[:, 0].diagonal(offset=num_keys - query.shape[2], dim1=-2, dim2=-1)
    return visible(diagonal).expand(len(query), -1)


def refuse_packed_texts(mask: Tensor | None, real: Bool[Tensor, "B S"], window: int | None) -> None:
    """Raise ProbeError for several texts in one row: the last token then sees less than all, or than its window."""
    if mask is None:
        return
    last_B = real.shape[1] - 1 - real.flip(1).float().argmax(dim=1)
    seen_B = visible(mask.expand(len(real), -1, -1, -1)[torch.arange(len(real)), 0, last_B]).sum(dim=1)
    length_B = real.sum(dim=1)
    if (seen_B != (length_B if window is None else length_B.clamp(max=window)))[length_B > 0].any():
        raise ProbeError("attention is replaced for one text a row, padded and not packed")


def _register(name: str) -> None:
    def call(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
        original = ALL_ATTENTION_FUNCTIONS.get(name) or eager_attention(module)
        return getattr(module, HOLDER)(original, module, *args, **kwargs)

    AttentionInterface.register(REPLACED[name], torch.compiler.disable(call))
    # Without a mask function of the same name, padding would silently be attended to.
    AttentionMaskInterface.register(REPLACED[name], ALL_MASK_ATTENTION_FUNCTIONS[name])


def repeat_heads(keys: Tensor, num_heads: int, heads: list[int]) -> Tensor:
    """Return the keys (or values) of these query heads, one each: head h reads key head h // (H / K)."""
    groups = num_heads // keys.shape[1]
    return keys[:, [head // groups for head in heads]]
