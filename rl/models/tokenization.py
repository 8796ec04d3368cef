"""Tokenization: prompts as token ids, padding, and the characters that each token stands for."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from jaxtyping import Bool, Int
from jinja2 import TemplateError
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from data.problems import Problem
from rl.common.errors import UserError
from rl.models.vocabulary import UNFINISHED, TextLengths

Span = tuple[int, int]
Prompt = str | list[dict[str, str]]


def encode_prompt(tokenizer: PreTrainedTokenizerBase, prompt: Prompt) -> tuple[int, ...]:
    """Return a prompt's token ids; messages go through the chat template, which opens the assistant's turn.

    A base model's tokenizer has no template: a user's message is then text like any other, for the model to go on with.
    Raises UserError for messages that the template refuses, or that need one where there is none.
    """
    if isinstance(prompt, str):
        return tuple(tokenizer(prompt)["input_ids"])  # pyright: ignore[reportArgumentType]
    if tokenizer.chat_template is None:
        return encode_prompt(tokenizer, prompt_text(tokenizer, prompt))
    with _template_errors_named(prompt):
        token_ids: Any = tokenizer.apply_chat_template(
            prompt, add_generation_prompt=True, tokenize=True, return_dict=False
        )
    return tuple(token_ids)


def prompt_text(tokenizer: PreTrainedTokenizerBase, messages: Sequence[Mapping[str, str]]) -> str:
    """Return the text that the model is given for messages, before `adds_special_tokens` adds any.

    Raises UserError as `encode_prompt` does.
    """
    if tokenizer.chat_template is None:
        if [message["role"] for message in messages] != ["user"]:
            roles = ", ".join(message["role"] for message in messages)
            raise UserError(
                f"the model's tokenizer has no chat template, so that it takes prompts of text or of one user's "
                f"message; got messages of the roles {roles}: take the model's instruct version, or put a "
                "chat_template.jinja into a local copy"
            )
        return messages[0]["content"]
    with _template_errors_named(messages):
        chat: Any = [dict(message) for message in messages]
        return str(tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True))


def adds_special_tokens(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Return whether a prompt's text gets the tokenizer's own special tokens; a chat template has written them."""
    return tokenizer.chat_template is None


@contextmanager
def _template_errors_named(messages: Sequence[Mapping[str, str]]) -> Iterator[None]:
    try:
        yield
    except TemplateError as error:
        roles = ", ".join(message["role"] for message in messages)
        raise UserError(
            f"the model's chat template refuses messages of the roles {roles}: {error}; text of a role that it does "
            "not know, such as system, can stand at the beginning of the user's message"
        ) from error


def encode_problems(tokenizer: PreTrainedTokenizerBase, problems: Sequence[Problem]) -> list[tuple[int, ...]]:
    """Return the token ids of each problem's messages."""
    return [encode_prompt(tokenizer, [dict(message) for message in problem.messages]) for problem in problems]


def pad_right(sequences: Sequence[Sequence[int]]) -> tuple[Int[Tensor, "B S"], Bool[Tensor, "B S"]]:
    """Return the token ids as one tensor, padded with 0 on the right, and which of them are real."""
    longest = max(len(sequence) for sequence in sequences)
    ids_BS = torch.tensor([[*sequence, *[0] * (longest - len(sequence))] for sequence in sequences], dtype=torch.long)
    lengths_B1 = torch.tensor([len(sequence) for sequence in sequences])[:, None]
    return ids_BS, torch.arange(longest) < lengths_B1


def pad_left(sequences: Sequence[Sequence[int]], device: torch.device) -> dict[str, Int[Tensor, "B S"]]:
    """Return sequences as `input_ids` and `attention_mask`, padded with 0 so that they end together."""
    longest = max(map(len, sequences))
    ids = [[0] * (longest - len(sequence)) + list(sequence) for sequence in sequences]
    mask = [[0] * (longest - len(sequence)) + [1] * len(sequence) for sequence in sequences]
    return {"input_ids": torch.tensor(ids, device=device), "attention_mask": torch.tensor(mask, device=device)}


def completion_spans(tokenizer: PreTrainedTokenizerBase, completion_ids: Sequence[int]) -> list[Span]:
    """Return each token's half-open character span in the decoded completion; special tokens have empty spans.

    The sampled ids are decoded cumulatively, never re-tokenised, because about half of all id sequences do not survive
    re-encoding. A character whose bytes are shared by several tokens belongs to each of them.
    """
    special, text_lengths = frozenset(tokenizer.all_special_ids), TextLengths(tokenizer)
    last = max((index for index, token in enumerate(completion_ids) if token not in special), default=0)
    spans: list[Span] = []
    open_tokens: list[int] = []
    finished, anchor = 0, 0
    for index, token in enumerate(completion_ids):
        spans.append((finished, finished))
        if token in special:
            continue
        open_tokens.append(index)
        length = text_lengths[token] if len(open_tokens) == 1 else None
        if length is not None:
            spans[index] = (finished, finished + length)
            finished, anchor, open_tokens = finished + length, index, []
            continue
        # One finished token before the open ones keeps a leading space that decoding would strip.
        text = decode(tokenizer, completion_ids[anchor : index + 1])
        before = decode(tokenizer, completion_ids[anchor : open_tokens[0]])
        added = text[len(before) :]
        if added.endswith(UNFINISHED) and index < last:
            continue
        end = finished + len(added)
        for open_token in open_tokens:
            spans[open_token] = (finished, end)
        finished, anchor, open_tokens = end, index, []
    return spans


def prompt_spans(
    tokenizer: PreTrainedTokenizerBase,
    messages: Sequence[Mapping[str, str]],
    prompt_ids: Sequence[int],
    *,
    message: int = -1,
) -> list[Span]:
    """Return each prompt token's span in the last user message; tokens outside it have spans outside its characters.

    `message` is the index of another message to take. `prompt_ids` may lack tokens at the end. Raises UserError when
    the template does not contain the message, or when the templated text has other tokens than the prompt.
    """
    templated = prompt_text(tokenizer, messages)
    special = adds_special_tokens(tokenizer)
    encoding = tokenizer(templated, add_special_tokens=special, return_offsets_mapping=True)
    token_ids, offsets = list(encoding["input_ids"]), encoding["offset_mapping"]
    content = messages[message]["content"]
    position = templated.rfind(content.strip())
    if position < 0 or token_ids[: len(prompt_ids)] != list(prompt_ids):
        raise UserError(
            f"the prompt {content[:60]!r} cannot be found in its tokens: the chat template rewrites it, so attention "
            "to its constraints cannot be read; set credit.rule to one that needs no evidence, and probe.listen=auto"
        )
    first = position - (len(content) - len(content.lstrip()))
    return [(start - first, end - first) for start, end in offsets[: len(prompt_ids)]]


def decode(tokenizer: PreTrainedTokenizerBase, token_ids: Sequence[int]) -> str:
    """Return the text of a token sequence, without special tokens."""
    text = tokenizer.decode(list(token_ids), skip_special_tokens=True)
    assert isinstance(text, str)
    return text


def tokens_overlapping(spans: Sequence[Span], marked: Sequence[Span]) -> list[bool]:
    """Return for each token whether at least one of its characters is marked."""
    return [any(begin < stop and start < end for start, stop in marked) for begin, end in spans]
