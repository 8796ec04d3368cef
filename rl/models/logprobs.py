"""Fluency: how likely the base model finds a completion, whatever the adapter has learnt."""

import math
from collections.abc import Sequence

import torch
from peft import PeftModel
from torch import Tensor
from torch.nn.functional import cross_entropy
from transformers import PreTrainedTokenizerBase

from data.problems import Problem
from rl.models.tokenization import encode_prompt

# Axes: B rows of one forward pass, S padded tokens of prompt and completion, V vocabulary.

ROWS = 8
"""Rows of one forward pass: the logits of more would take hundreds of megabytes."""


def base_log_probs(
    policy: PeftModel, tokenizer: PreTrainedTokenizerBase, problems: Sequence[Problem], completions: Sequence[str]
) -> list[float]:
    """Mean log-probability per token (nats) of each completion after its prompt, with the adapters switched off.

    Minus infinity for an empty completion.
    """
    pairs = [
        (list(encode_prompt(tokenizer, [dict(message) for message in problem.messages])), _ids(tokenizer, text))
        for problem, text in zip(problems, completions, strict=True)
    ]
    was_training = policy.training
    policy.eval()
    try:
        with torch.no_grad(), policy.disable_adapter():
            return [
                value for at in range(0, len(pairs), ROWS) for value in _mean_log_probs(policy, pairs[at : at + ROWS])
            ]
    finally:
        policy.train(was_training)


def _ids(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


def _mean_log_probs(policy: PeftModel, pairs: Sequence[tuple[list[int], list[int]]]) -> list[float]:
    ids_BS, visible_BS, counted_BS = _padded(pairs)
    logits_BSV = policy(input_ids=ids_BS.to(policy.device), attention_mask=visible_BS.to(policy.device)).logits
    targets_BS = ids_BS[:, 1:].to(policy.device)
    log_probs_BS = -cross_entropy(logits_BSV[:, :-1].float().transpose(1, 2), targets_BS, reduction="none").cpu()
    sums, counts = (log_probs_BS * counted_BS[:, 1:]).sum(dim=1), counted_BS.sum(dim=1)
    return [total / count if count else -math.inf for total, count in zip(sums.tolist(), counts.tolist(), strict=True)]


def _padded(pairs: Sequence[tuple[list[int], list[int]]]) -> tuple[Tensor, Tensor, Tensor]:
    """Ids, which of them are visible, and which are a completion's; padded on the right."""
    size = max(len(prompt) + len(completion) for prompt, completion in pairs)
    ids_BS = torch.zeros(len(pairs), size, dtype=torch.long)
    visible_BS, counted_BS = torch.zeros_like(ids_BS), torch.zeros_like(ids_BS)
    for row, (prompt, completion) in enumerate(pairs):
        end = len(prompt) + len(completion)
        ids_BS[row, :end] = torch.tensor(prompt + completion)
        visible_BS[row, :end] = 1
        counted_BS[row, len(prompt) : end] = 1
    return ids_BS, visible_BS, counted_BS
