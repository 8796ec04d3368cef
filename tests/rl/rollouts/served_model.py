"""Helper: a tiny model that vLLM's CPU kernels take (heads of 32), in a folder with its tokenizer."""

from pathlib import Path

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from rl.models.load import load_tokenizer
from rl.models.tiny_shape import TINY_SHAPE


def save_served_model(folder: Path) -> Path:
    """Save a random Llama of two layers; its heads are twice as wide as those of `tiny`."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = LlamaForCausalLM(LlamaConfig(**{**TINY_SHAPE, "head_dim": 32}))
    model.save_pretrained(folder)
    load_tokenizer("tiny").save_pretrained(folder)
    return folder
