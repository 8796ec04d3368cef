"""Log-probs of given token ids: of any sequences, and of completions under the base model."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from peft import PeftModel
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from data.problems import Problem
from rl.models.eval_mode import eval_mode
from rl.models.tokenization import encode_problems, pad_right

# Axes: B rows of one forward pass, S padded tokens of a row, V vocabulary.

BATCH_SIZE = 8
"""Completions in one forward pass: the logits of more would take hundreds of megabytes."""


@torch.no_grad()
def token_logprobs(model: Any, sequences: Sequence[Sequence[int]]) -> Float[Tensor, "B S"]:
    """Return the log-probs of each sequence's tokens after the first, at temperature 1 and with dropout off.

    Entry t of a row is log p(token t + 1 | tokens 0 to t); the row has as many entries as the longest sequence has
    tokens after its first, and those beyond its own end mean nothing. All sequences go through one forward pass.
    """
    ids_BS, real_BS = (tensor.to(model.device) for tensor in pad_right(sequences))
    with eval_mode(model):
        logits_BSV = model(input_ids=ids_BS, attention_mask=real_BS.long(), use_cache=False).logits
    logprobs_BSV = torch.log_softmax(logits_BSV[:, :-1].float(), dim=-1)
    return logprobs_BSV.gather(2, ids_BS[:, 1:, None]).squeeze(2)


def base_logprobs(
    policy: PeftModel, tokenizer: PreTrainedTokenizerBase, problems: Sequence[Problem], completions: Sequence[str]
) -> list[float]:
    """Return the mean log-prob per token (nats) of each completion after its prompt, with the adapters switched off.

    Minus infinity for an empty completion.
    """
    prompts = encode_problems(tokenizer, problems)
    encoded = [list(tokenizer(text, add_special_tokens=False)["input_ids"]) for text in completions]
    pairs = list(zip(prompts, encoded, strict=True))
    with policy.disable_adapter():
        return [
            mean
            for start in range(0, len(pairs), BATCH_SIZE)
            for mean in _completion_means(policy, pairs[start : start + BATCH_SIZE])
        ]


def _completion_means(policy: PeftModel, pairs: Sequence[tuple[Sequence[int], Sequence[int]]]) -> list[float]:
    logprobs_BS = token_logprobs(policy, [[*prompt, *completion] for prompt, completion in pairs]).cpu()
    return [
        row[len(prompt) - 1 :][: len(completion)].mean().item() if completion else -math.inf
        for row, (prompt, completion) in zip(logprobs_BS, pairs, strict=True)
    ]
