"""Log-probs of given token ids: of any sequences, and of completions under the base model."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float, Int
from peft import PeftModel
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from data.problems import Problem
from rl.models.eval_mode import eval_mode
from rl.models.precision import loss_precision
from rl.models.tokenization import encode_problems, pad_right

# Axes: B rows of one forward pass, S padded tokens of a row, N = B * S, V vocabulary.

BATCH_SIZE = 8
"""Completions in one forward pass: the logits of more would take hundreds of megabytes."""
CHUNK_BYTES = 2**28
"""Of float32 logits at a time. All at once, and their log-softmax beside them, would be 11 GB for 16 rows of 600 tokens
and a vocabulary of 152,000; in chunks what remains is the model's own output."""


@torch.no_grad()
def token_logprobs(model: Any, sequences: Sequence[Sequence[int]]) -> Float[Tensor, "B S"]:
    """Return the log-probs of each sequence's tokens after the first, at temperature 1 and with dropout off.

    Entry t of a row is log p(token t + 1 | tokens 0 to t); the row has as many entries as the longest sequence has
    tokens after its first, and those beyond its own end mean nothing. All sequences go through one forward pass, in
    the precision of the loss.
    """
    ids_BS, real_BS = (tensor.to(model.device) for tensor in pad_right(sequences))
    with eval_mode(model), loss_precision(model):
        logits_BSV = model(input_ids=ids_BS, attention_mask=real_BS.long(), use_cache=False).logits
    # The last position has no next token; what is computed for it is cut off.
    return selected_logprobs(logits_BSV.flatten(0, 1), ids_BS.roll(-1, dims=1).flatten()).view(ids_BS.shape)[:, :-1]


def selected_logprobs(logits: Float[Tensor, "N V"], tokens: Int[Tensor, " N"]) -> Float[Tensor, " N"]:
    """Return each row's log-prob of its token, in float32, which CHUNK_BYTES of the logits are turned to at a time."""
    rows = max(1, CHUNK_BYTES // (4 * logits.shape[1]))
    return torch.cat(
        [
            torch.log_softmax(some.float(), dim=-1).gather(1, chosen[:, None]).squeeze(1)
            for some, chosen in zip(logits.split(rows), tokens.split(rows), strict=True)
        ]
    )


def base_logprobs(
    policy: PeftModel, tokenizer: PreTrainedTokenizerBase, problems: Sequence[Problem], completions: Sequence[str]
) -> list[float]:
    """Return the mean log-prob per token of each completion (`completion_logprobs`) with the adapters switched off."""
    with policy.disable_adapter():
        return completion_logprobs(policy, tokenizer, problems, completions)


def completion_logprobs(
    model: Any, tokenizer: PreTrainedTokenizerBase, problems: Sequence[Problem], completions: Sequence[str]
) -> list[float]:
    """Return the mean log-prob per token (nats) of each completion after its prompt.

    Minus infinity for an empty completion.
    """
    prompts = encode_problems(tokenizer, problems)
    encoded = [list(tokenizer(text, add_special_tokens=False)["input_ids"]) for text in completions]
    pairs = list(zip(prompts, encoded, strict=True))
    return [
        mean
        for start in range(0, len(pairs), BATCH_SIZE)
        for mean in _completion_means(model, pairs[start : start + BATCH_SIZE])
    ]


def _completion_means(model: Any, pairs: Sequence[tuple[Sequence[int], Sequence[int]]]) -> list[float]:
    logprobs_BS = token_logprobs(model, [[*prompt, *completion] for prompt, completion in pairs]).cpu()
    return [
        row[len(prompt) - 1 :][: len(completion)].mean().item() if completion else -math.inf
        for row, (prompt, completion) in zip(logprobs_BS, pairs, strict=True)
    ]
