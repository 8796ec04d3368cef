"""Recording: read a model's own attention during a forward pass, and leave the pass exactly as it was."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from jaxtyping import Bool
from torch import Tensor, nn
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from attention_probes.capture_lse import call_with_lse
from attention_probes.errors import ProbeError
from attention_probes.layer import LayerAttention, scale_of
from attention_probes.plan import ProbePlan
from attention_probes.recorder import AttentionRecorder, Readings
from attention_probes.replacement import REPLACED, eager_attention, pretrained_model

__all__ = ["AttentionRecorder", "ProbePlan", "Readings", "listen", "record_attention"]

SUPPORTED_ATTENTION = ("sdpa", "eager")
"""Attention implementations that are passed the mask they apply, so that the probe can apply the same one."""


@contextmanager
def record_attention(
    model: nn.Module, plan: ProbePlan | None = None, *, spans: Bool[Tensor, "B C S"] | None = None
) -> Iterator[AttentionRecorder]:
    """Read the first forward pass of `model` inside the block; its outputs and gradients stay bit-identical.

    `model` is a transformers decoder, bare or wrapped by PEFT or DDP, in training or under no_grad; the pass must begin
    with an empty cache. `spans` marks groups of tokens whose received mass is read as well. At the end, also after an
    error, everything is put back.

    Raises ProbeError for a model that cannot be recorded (not of transformers, compiled, or neither sdpa nor eager
    attention), for attention that the probe does not know (position bias, sink logits, not causal), and for several
    texts packed into one row, unless `AttentionRecorder.texts` says where they lie.
    """
    decoder = pretrained_model(model).get_decoder()
    config = decoder.config.get_text_config()
    plan = plan or ProbePlan()
    recorder = AttentionRecorder(plan, plan.layers_of(config.num_hidden_layers, config.num_attention_heads), spans)
    modules = set(decoder.modules())

    def probed(attention: Callable[..., Any], module: nn.Module, *args: Any, **kwargs: Any) -> Any:
        layer = getattr(module, "layer_idx", None)
        if module in modules and isinstance(layer, int) and recorder.needs_layer(layer):
            return _call_and_record(recorder, layer, attention, module, *args, **kwargs)
        return attention(module, *args, **kwargs)

    with _wrapped_attention(str(config._attn_implementation), probed):
        yield recorder


@contextmanager
def _wrapped_attention(name: str, wrapper: Callable[..., Any]) -> Iterator[None]:
    """Make transformers call `wrapper(original, ...)` wherever it would call the attention function `name`."""
    if name in REPLACED.values():
        raise ProbeError("the model's attention is replaced by another function, which the probe cannot read")
    if name not in SUPPORTED_ATTENTION:
        raise ProbeError(
            f"attention implementation {name!r} cannot be recorded; call model.set_attn_implementation with one of "
            f"{SUPPORTED_ATTENTION}"
        )
    # The table's local mapping shadows its registered functions, so models keep their implementation's name and mask.
    shadow = ALL_ATTENTION_FUNCTIONS._local_mapping
    before = shadow.get(name)
    registered = ALL_ATTENTION_FUNCTIONS.get(name)

    def call(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
        return wrapper(registered or eager_attention(module), module, *args, **kwargs)

    # A function compiled around the model leaves its graph here, so its attention is recorded all the same.
    shadow[name] = torch.compiler.disable(call)
    try:
        yield
    finally:
        if before is None:
            del shadow[name]
        else:
            shadow[name] = before


def _call_and_record(
    recorder: AttentionRecorder,
    index: int,
    attention: Callable[..., Any],
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    **kwargs: Any,
) -> Any:
    _refuse_unknown_attention(module, query, key, attention_mask, kwargs)
    result, lse = call_with_lse(attention, module, query, key, value, attention_mask, **kwargs)
    # Autocast would turn the probe's matrix products to half precision.
    with torch.no_grad(), torch.autocast(query.device.type, enabled=False):
        layer = LayerAttention(
            query=query.detach(),
            key=key.detach(),
            mask=attention_mask,
            scale=scale_of(query, kwargs.get("scaling")),
            softcap=kwargs.get("softcap"),
            lse=lse,
        )
        if recorder.texts is not None:
            layer = recorder.texts.unpack(layer)
        elif index == recorder.layers[0]:
            _refuse_packed_texts(layer, kwargs.get("position_ids"))
        recorder.record(index, layer)
    return result


def _refuse_packed_texts(layer: LayerAttention, position_ids: Tensor | None) -> None:
    """Raise ProbeError for packed texts: distances and horizons would run from one text into the next."""
    if position_ids is None or position_ids.dim() != 2:
        return
    if len(position_ids) < layer.batch:  # the decoder's own count, shared by all rows; to look at it would take a wait
        return
    real_BS = layer.real()
    restarts = (position_ids.diff(dim=1) < 1) & real_BS[:, 1:] & real_BS[:, :-1]
    if restarts.any():
        raise ProbeError(
            "position_ids restart within a row; record_attention reads one text a row, padded and not packed"
        )


def _refuse_unknown_attention(
    module: nn.Module, query: Tensor, key: Tensor, attention_mask: Tensor | None, kwargs: dict[str, Any]
) -> None:
    """Raise ProbeError for attention that the readings would get wrong."""
    layer = f"layer {module.layer_idx} ({type(module).__name__})"
    if query.shape[2] != key.shape[2]:
        raise ValueError(
            f"{layer} got {query.shape[2]} queries for {key.shape[2]} keys; record_attention reads whole sequences: "
            "run the forward pass without past_key_values"
        )
    unknown = [name for name in ("position_bias", "s_aux") if kwargs.get(name) is not None]
    if unknown:
        raise ProbeError(f"{layer} uses {unknown} in its attention, which the probe does not know")
    causal = kwargs.get("is_causal")
    if attention_mask is None and not (getattr(module, "is_causal", True) if causal is None else causal):
        raise ProbeError(f"{layer} is not causal; record_attention reads decoders only")


listen = record_attention
"""The former name; it goes with the next release."""
