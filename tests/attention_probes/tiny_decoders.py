"""Tiny decoders of every family the probes know, with random weights, and padded batches for them."""

from functools import cache

import torch
import transformers
from transformers import PreTrainedModel

VOCABULARY = 50
SHAPE = dict(
    vocab_size=VOCABULARY,
    hidden_size=32,
    intermediate_size=32,
    num_hidden_layers=3,
    num_attention_heads=4,
    num_key_value_heads=2,
    head_dim=8,
    max_position_embeddings=128,
    pad_token_id=0,
)
CONFIGS = {
    "llama": lambda: transformers.LlamaConfig(**SHAPE),
    "qwen2": lambda: transformers.Qwen2Config(**SHAPE),
    "qwen3": lambda: transformers.Qwen3Config(**SHAPE),
    "mistral, window 12": lambda: transformers.MistralConfig(**SHAPE, sliding_window=12),
    "gemma2, window 12, softcap": lambda: transformers.Gemma2Config(**SHAPE, sliding_window=12),
    "gemma3, window 12": lambda: transformers.Gemma3TextConfig(**SHAPE, sliding_window=12),
    "gpt2": lambda: transformers.GPT2Config(vocab_size=VOCABULARY, n_embd=32, n_head=4, n_layer=3, n_positions=128),
}


@cache
def tiny_model(family: str, dtype: torch.dtype = torch.float32) -> PreTrainedModel:
    """A decoder whose random attention is far from uniform, in evaluation mode."""
    torch.manual_seed(0)
    config = CONFIGS[family]()
    config.initializer_range = 0.2
    return transformers.AutoModelForCausalLM.from_config(config, dtype=dtype).eval()


def padded_batch(length: int, padding: list[tuple[int, int]], seed: int = 0) -> dict[str, torch.Tensor]:
    """Random ids with (left, right) padding for each row."""
    ids = torch.randint(1, VOCABULARY, (len(padding), length), generator=torch.Generator().manual_seed(seed))
    mask = torch.ones_like(ids)
    for row, (left, right) in zip(mask, padding, strict=True):
        row[:left] = 0
        row[length - right :] = 0
    return {"input_ids": ids * mask, "attention_mask": mask}


def attention_maps(model: PreTrainedModel, batch: dict[str, torch.Tensor], layers: tuple[int, ...]) -> torch.Tensor:
    """The model's own eager maps, (L, B, H, S, S) in float32, with nothing in the rows of padding."""
    implementation = model.config._attn_implementation
    model.set_attn_implementation("eager")
    try:
        with torch.no_grad():
            maps = model(**batch, output_attentions=True).attentions
    finally:
        model.set_attn_implementation(implementation)
    chosen = torch.stack([maps[layer] for layer in layers]).float()
    return chosen * batch["attention_mask"][None, :, None, :, None]
