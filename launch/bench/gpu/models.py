"""Random models in the shapes of known ones, which need no hub, and padded batches for them."""

from typing import Any

import torch
from torch import Tensor
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedConfig, PreTrainedModel

from launch.plan.shape import config_of

QWEN, LLAMA, QWEN3 = SHAPES = ("Qwen/Qwen2.5-0.5B", "meta-llama/Llama-3.2-1B", "Qwen/Qwen3-8B")
REHEARSED = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 6,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "vocab_size": 512,
}
"""Sizes that a CPU takes no time for."""


def shape_config(name: str, *, on_gpu: bool, **changes: Any) -> PreTrainedConfig:
    """Return the settings of a model by its name; of its kind but with tiny sizes where the GPU is only rehearsed."""
    sizes: dict[str, Any] = config_of(name) | ({} if on_gpu else REHEARSED) | changes
    return AutoConfig.for_model(**sizes)


def random_model(config: PreTrainedConfig, device: str, dtype: torch.dtype) -> PreTrainedModel:
    """Return a model with random weights, the same each time, made where it is used."""
    torch.manual_seed(0)
    with torch.device(device):
        return AutoModelForCausalLM.from_config(config, dtype=dtype, attn_implementation="sdpa").eval()


def padded_batch(vocabulary: int, length: int, padding: list[tuple[int, int]], device: str) -> dict[str, Tensor]:
    """Return random ids and their mask, with padding to the left and to the right of each row."""
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(vocabulary, (len(padding), length), generator=generator)
    mask = torch.ones(len(padding), length, dtype=torch.long)
    for row, (left, right) in zip(mask, padding, strict=True):
        row[:left] = 0
        row[length - right :] = 0
    return {"input_ids": ids.to(device), "attention_mask": mask.to(device)}
