"""A tokenizer that knows the parts of an answer: its thoughts, its tool calls and its content."""

from transformers import PreTrainedTokenizerBase

from rl.models.load import load_tokenizer

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


def thinking_tokenizer() -> PreTrainedTokenizerBase:
    tokenizer = load_tokenizer("tiny")
    tokenizer.response_template = RESPONSE_TEMPLATE
    return tokenizer
