"""Tokenization: prompts as token ids, and which tokens stand for which characters."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Bool, Int
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from data.problems import Problem
from rl.common.errors import UserError

Span = tuple[int, int]
Prompt = str | list[dict[str, str]]

UNFINISHED = "\ufffd"
"""What a tokenizer shows for a character whose bytes have not all come yet."""


def encode_prompt(tokenizer: PreTrainedTokenizerBase, prompt: Prompt) -> tuple[int, ...]:
    """Token ids of a prompt; messages go through the chat template with the assistant's turn opened."""
    if isinstance(prompt, str):
        token_ids: Any = tokenizer(prompt)["input_ids"]
    else:
        token_ids = tokenizer.apply_chat_template(prompt, add_generation_prompt=True, tokenize=True, return_dict=False)
    return tuple(token_ids)


def encode_problems(tokenizer: PreTrainedTokenizerBase, problems: Sequence[Problem]) -> list[tuple[int, ...]]:
    """Token ids of each problem's messages."""
    return [encode_prompt(tokenizer, [dict(message) for message in problem.messages]) for problem in problems]


def pad_right(sequences: Sequence[Sequence[int]]) -> tuple[Int[Tensor, "B S"], Bool[Tensor, "B S"]]:
    """Return the token ids as one tensor, padded with 0 on the right, and which of them are real."""
    longest = max(len(sequence) for sequence in sequences)
    ids_BS = torch.tensor([[*sequence, *[0] * (longest - len(sequence))] for sequence in sequences], dtype=torch.long)
    lengths_B1 = torch.tensor([len(sequence) for sequence in sequences])[:, None]
    return ids_BS, torch.arange(longest) < lengths_B1


def completion_spans(tokenizer: PreTrainedTokenizerBase, completion_ids: Sequence[int]) -> list[Span]:
    """Half-open character span of each token in the decoded completion (special tokens span nothing).

    The sampled ids are decoded cumulatively, never re-tokenised, because about half of all id sequences do not survive
    re-encoding. A character whose bytes are shared by several tokens belongs to each of them.
    """
    special = frozenset(tokenizer.all_special_ids)
    last = max((index for index, token in enumerate(completion_ids) if token not in special), default=0)
    spans: list[Span] = []
    open_tokens: list[int] = []
    finished, anchor = 0, 0
    for index, token in enumerate(completion_ids):
        spans.append((finished, finished))
        if token in special:
            continue
        open_tokens.append(index)
        # One finished token before the open ones keeps a leading space that decoding would strip.
        text = decode(tokenizer, completion_ids[anchor : index + 1])
        before = decode(tokenizer, completion_ids[anchor : open_tokens[0]])
        fresh = text[len(before) :]
        if fresh.endswith(UNFINISHED) and index < last:
            continue
        end = finished + len(fresh)
        for writer in open_tokens:
            spans[writer] = (finished, end)
        finished, anchor, open_tokens = end, index, []
    return spans


def prompt_spans(
    tokenizer: PreTrainedTokenizerBase, messages: Sequence[Mapping[str, str]], prompt_ids: Sequence[int]
) -> list[Span]:
    """Span of each prompt token in the last user message; outside it, spans that no character of the message is in.

    `prompt_ids` may lack tokens at the end. Raises UserError when the template does not repeat the message, or its
    text is tokenised otherwise than the prompt was.
    """
    chat: Any = [dict(message) for message in messages]
    templated = str(tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True))
    encoding = tokenizer(templated, add_special_tokens=False, return_offsets_mapping=True)
    told, offsets = list(encoding["input_ids"]), encoding["offset_mapping"]
    content = messages[-1]["content"]
    place = templated.rfind(content.strip())
    if place < 0 or told[: len(prompt_ids)] != list(prompt_ids):
        raise UserError(
            f"the prompt {content[:60]!r} cannot be found in its tokens: the chat template rewrites it, so attention "
            "to its constraints cannot be read; set credit.rule to one that looks at no evidence, and probe.listen=auto"
        )
    first = place - (len(content) - len(content.lstrip()))
    return [(start - first, end - first) for start, end in offsets[: len(prompt_ids)]]


def decode(tokenizer: PreTrainedTokenizerBase, token_ids: Sequence[int]) -> str:
    """The text of one token sequence, special tokens left out."""
    text = tokenizer.decode(list(token_ids), skip_special_tokens=True)
    assert isinstance(text, str)
    return text


def tokens_overlapping(spans: Sequence[Span], marked: Sequence[Span]) -> list[bool]:
    """Whether each token wrote at least one marked character."""
    return [any(begin < stop and start < end for start, stop in marked) for begin, end in spans]
