"""Listening: read a model's own attention during a forward pass, and leave the pass exactly as it was."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from attention_probes import rhythm
from attention_probes.kernel import call_keeping_lse
from attention_probes.layer import LayerAttention
from attention_probes.plan import ProbePlan
from attention_probes.statistics import rhythm_sums


@dataclass(frozen=True, kw_only=True, slots=True)
class Readings:
    """What one forward pass showed, in the coordinates of its input ids; heads and layers averaged."""

    waad: Float[Tensor, "B S"]
    """Windowed average attention distance of each token, in tokens; 0 at padding."""
    fai: Float[Tensor, "B S"]
    """Future attention influence of each token, a share of attention; 0 at padding and where the horizon is empty."""
    real: Bool[Tensor, "B S"]
    """Tokens that are not padding."""


class Tape:
    """Collects one forward pass, layer by layer; `read` gives the result."""

    def __init__(self, plan: ProbePlan, layers: tuple[int, ...]):
        self.plan = plan
        self.layers = layers
        self.real: Tensor | None = None
        self._near: dict[int, Tensor] = {}
        self._ahead: dict[int, Tensor] = {}

    def wants(self, layer: int) -> bool:
        """True until `layer` was heard: later passes, gradient checkpointing's second one included, are ignored."""
        return layer in self.layers and layer not in self._near

    def clear(self) -> None:
        """Forget everything, so that the next forward pass is the one that is read."""
        self.real = None
        self._near.clear()
        self._ahead.clear()

    def hear(self, index: int, attention: LayerAttention) -> None:
        self.real = attention.real()
        near, ahead = rhythm_sums(attention, window=self.plan.window, horizon=self.plan.horizon)
        self._near[index], self._ahead[index] = near, ahead

    def read(self) -> Readings:
        """The readings of the forward pass. Raises RuntimeError if a planned layer was not heard."""
        missing = [layer for layer in self.layers if layer not in self._near]
        if missing or self.real is None:
            raise RuntimeError(
                f"no attention was heard in layers {missing}; run one forward pass of the model inside `with listen(...)`"
            )
        near = torch.stack(list(self._near.values())).mean(dim=0)
        ahead = torch.stack(list(self._ahead.values())).mean(dim=0)
        return Readings(
            waad=rhythm.waad(near, self.real, window=self.plan.window),
            fai=rhythm.fai(ahead, self.real, horizon=self.plan.horizon),
            real=self.real,
        )


@contextmanager
def listen(model: nn.Module, plan: ProbePlan | None = None) -> Iterator[Tape]:
    """Read the first forward pass of `model` inside the block, by `plan`; outputs and gradients stay bit-identical.

    `model` is a transformers decoder, wrapped by PEFT or DDP or bare, with `sdpa` or `eager` attention. Everything is put
    back at the end, also after an error.

    Raises ValueError for a model that cannot be heard: no decoder, compiled, or another attention implementation.
    """
    plan = plan or ProbePlan()
    decoder = decoder_of(model)
    tape = Tape(plan, plan.layers_of(decoder.config.get_text_config().num_hidden_layers))
    modules = set(decoder.modules())
    name = decoder.config._attn_implementation
    before = ALL_ATTENTION_FUNCTIONS._local_mapping.get(name)
    inner = before or ALL_ATTENTION_FUNCTIONS._global_mapping.get(name)

    def attention(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
        function = inner or sys.modules[type(module).__module__].eager_attention_forward
        if module in modules and tape.wants(module.layer_idx):
            return _call_and_hear(tape, function, module, *args, **kwargs)
        return function(module, *args, **kwargs)

    ALL_ATTENTION_FUNCTIONS[name] = attention
    try:
        yield tape
    finally:
        if before is None:
            del ALL_ATTENTION_FUNCTIONS[name]
        else:
            ALL_ATTENTION_FUNCTIONS[name] = before


def _call_and_hear(
    tape: Tape, function: Callable[..., Any], module: nn.Module, query: Tensor, key: Tensor, value: Tensor,
    attention_mask: Tensor | None, *args: Any, **kwargs: Any,
) -> Any:
    result, lse = call_keeping_lse(function, module, query, key, value, attention_mask, *args, **kwargs)
    scale = kwargs.get("scaling")
    with torch.no_grad(), torch.autocast(query.device.type, enabled=False):
        layer = LayerAttention(
            query=query.detach(),
            key=key.detach(),
            mask=attention_mask,
            scale=query.shape[-1] ** -0.5 if scale is None else float(scale),
            softcap=kwargs.get("softcap"),
            lse=lse,
        )
        tape.hear(module.layer_idx, layer)
    return result


def decoder_of(model: nn.Module) -> PreTrainedModel:
    """The transformers model inside whatever wraps it. Raises ValueError if there is none."""
    for module in model.modules():
        if isinstance(module, PreTrainedModel):
            return module
    raise ValueError(f"listen needs a transformers model, possibly wrapped; {type(model).__name__} holds none")
