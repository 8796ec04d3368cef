"""Module names: the tensors of an adapter's file for which the base model has no module."""

from collections.abc import Iterable
from functools import cache

import torch
from transformers import AutoConfig, AutoModelForCausalLM

from rl.models.load import model_path

PREFIX = "base_model.model."
"""Put by PEFT before every name in an adapter's file."""


def tensors_without_module(names: Iterable[str], base: str) -> list[str]:
    """Return the names for which the base has no module, sorted: vLLM loads them, and does nothing with them.

    Example:
        base_model.model.model.language_model.layers.0.self_attn.q_proj.lora_A.weight of a model without vision
    """
    modules = _modules(model_path(base))
    return sorted(name for name in names if name.removeprefix(PREFIX).partition(".lora_")[0] not in modules)


@cache
def _modules(path: str) -> frozenset[str]:
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(path))
    return frozenset(name for name, _ in model.named_modules())
