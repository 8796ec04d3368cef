"""Decoding: tokens for rows whose prompts are in the cache, without steps for rows that have ended."""

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import DynamicCache, LogitsProcessorList, StoppingCriteria, StoppingCriteriaList

from rl.rollouts.seeded_sampling import SeededSampler

# Axes: B rows, L tokens so far, T tokens to sample at most.

FINISHED_SHARE = 0.25
"""Of the rows, after which the others go on without them; to leave rows out costs a copy of the cache."""


class EnoughFinished(StoppingCriteria):
    """Stops all rows once so many of them have ended that the others are better computed alone."""

    def __init__(self, ends: Tensor, start: int):
        self.ends = ends
        self.start = start

    def __call__(self, input_ids: Tensor, scores: Any, **kwargs: Any) -> Tensor:
        share = finished_rows(input_ids[:, self.start :], self.ends).float().mean()
        return (share >= FINISHED_SHARE).expand(len(input_ids))


def finished_rows(tokens: Tensor, ends: Tensor) -> Tensor:
    """Mark the rows that hold an end-of-text token."""
    return torch.isin(tokens, ends).any(dim=1)


def decode(
    model: Any,
    ids: Tensor,
    mask: Tensor,
    cache: DynamicCache,
    *,
    uniforms: np.ndarray,
    temperature: float,
    ends: Collection[int],
    pad: Any,
    routed: Callable[[Tensor], AbstractContextManager],
) -> tuple[list[list[int]], list[list[float]]]:
    """Return each row's new tokens, at least up to its end of text, and their log-probs.

    `ids` and `mask` (B, L) are the prompts, of which the cache holds all but the last token; `uniforms` (B, T) draw the
    tokens. The rows alive are computed inside `routed(rows)`.
    """
    end_ids, alive = torch.tensor(sorted(ends), device=ids.device), torch.arange(len(ids), device=ids.device)
    tokens: list[list[int]] = [[] for _ in uniforms]
    logprobs: list[list[float]] = [[] for _ in uniforms]
    done, most = 0, uniforms.shape[1]
    while len(alive):
        rows = alive.tolist()
        sampler = SeededSampler(uniforms[rows, done:], temperature=temperature)
        with routed(alive):
            sequences = model.generate(
                input_ids=ids,
                attention_mask=mask,
                past_key_values=cache,
                logits_processor=LogitsProcessorList([sampler]),
                stopping_criteria=StoppingCriteriaList([EnoughFinished(end_ids, ids.shape[1])]),
                do_sample=False,
                max_new_tokens=most - done,
                pad_token_id=pad,
            )
        new = sequences[:, ids.shape[1] :]
        for row, row_tokens, row_logprobs in zip(rows, new.tolist(), sampler.logprobs().tolist(), strict=True):
            tokens[row] += row_tokens
            logprobs[row] += row_logprobs
        done += new.shape[1]
        going_on = (~finished_rows(new, end_ids)).nonzero()[:, 0]
        if done == most or not len(going_on):
            break
        cache.batch_select_indices(going_on)
        alive, ids = alive[going_on], sequences[going_on]
        mask = torch.nn.functional.pad(mask[going_on], (0, new.shape[1]), value=1)
    return tokens, logprobs
