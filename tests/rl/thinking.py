"""Thinking models: a tokenizer that knows the parts of an answer, and a tiny Qwen3 whose template opens a thought."""

from pathlib import Path

import torch
from transformers import PreTrainedTokenizerBase, Qwen3Config, Qwen3ForCausalLM

from rl.models.load import load_tokenizer
from rl.models.tiny import tiny_tokenizer
from rl.models.tiny_shape import TINY_SHAPE

RESPONSE_TEMPLATE = {
    "defaults": {"role": "assistant"},
    "start_anchor": "<|im_start|>assistant\n",
    "fields": {
        "reasoning_content": {"open": "<think>", "close_pattern": r"</think>\s*", "content": "text"},
        "tool_calls": {
            "open": "<tool_call>",
            "close_pattern": r"</tool_call>\s*",
            "repeats": True,
            "content": "json",
            "transform": {"type": "function", "function": "{content}"},
        },
        "content": {"close_pattern": r"<\|im_end\|>\s*", "content": "text"},
    },
}
"""As Qwen3's."""

_TURNS = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}"
)
HYBRID = _TURNS + (
    "{% if enable_thinking is defined and enable_thinking is false %}{{ '<think>\n\n</think>\n\n' }}{% endif %}"
    "{% endif %}"
)
"""As Qwen3's: the model writes the tags, unless an empty thought is put into the prompt."""
OPENING = _TURNS + "{{ '<think>\n' }}{% endif %}{# <think> </think> #}"
"""As that of Qwen3's thinking models and DeepSeek-R1: the prompt ends inside the thought."""


def thinking_tokenizer() -> PreTrainedTokenizerBase:
    tokenizer = load_tokenizer("tiny")
    tokenizer.response_template = RESPONSE_TEMPLATE
    return tokenizer


def save_thinking_model(folder: Path, template: str = HYBRID) -> str:
    """Write a random Qwen3 of two layers with a thinking template; return its name, the folder."""
    shape = {**TINY_SHAPE, "head_dim": 16}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = Qwen3ForCausalLM(Qwen3Config(**shape))
    tokenizer = tiny_tokenizer()
    tokenizer.chat_template = template
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)
