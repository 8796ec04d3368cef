"""Seeded sampling: each row draws its tokens with its own random numbers, independent of the other rows."""

import numpy as np
import torch
from torch import Tensor
from transformers import LogitsProcessor

from rl.rollouts.types import RolloutRequest

# Axes: B rows of one generate call, T sampled tokens, V vocabulary.


def row_uniforms(request: RolloutRequest, max_tokens: int) -> np.ndarray:
    """Return uniform numbers (B, T) in [0, 1), one stream for each (seed, position, sample index, request.stream)."""
    keys = [
        (request.seed, request.position + group, sample, request.stream)
        for group in range(len(request.prompts))
        for sample in range(request.num_generations)
    ]
    return np.stack([np.random.default_rng(key).random(max_tokens) for key in keys])


class SeededSampler(LogitsProcessor):
    """Draws each row's next token by inverting its cumulative distribution, and stores the token's log-prob.

    `generate` must run greedily with it: the drawn token is the only one left with a finite score. Temperature 0
    takes the likeliest token, with its log-prob at temperature 1.
    """

    def __init__(self, uniforms_BT: np.ndarray, *, temperature: float):
        self.uniforms_BT = torch.from_numpy(uniforms_BT)
        self.temperature = temperature
        self._logprobs: list[Tensor] = []

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        logits_BV = scores.float() if self.temperature in (0.0, 1.0) else scores.float() / self.temperature
        logprobs_BV = torch.log_softmax(logits_BV, dim=-1)
        token_B1 = self._draw(logprobs_BV) if self.temperature else logprobs_BV.argmax(dim=-1, keepdim=True)
        self._logprobs.append(logprobs_BV.gather(1, token_B1).squeeze(1))
        return torch.full_like(scores, float("-inf")).scatter_(1, token_B1, 0.0)

    def _draw(self, logprobs_BV: Tensor) -> Tensor:
        # float64: in float32 the cumulative sum of 50,000 small probabilities loses the tail.
        cumulative_BV = logprobs_BV.exp().cumsum(dim=-1, dtype=torch.float64)
        uniform_B1 = self.uniforms_BT[:, len(self._logprobs), None].to(logprobs_BV.device)
        token_B1 = torch.searchsorted(cumulative_BV, uniform_B1 * cumulative_BV[:, -1:], right=True)
        return token_B1.clamp(max=logprobs_BV.shape[-1] - 1)

    def logprobs(self) -> Tensor:
        """Return the log-probs (B, T) of the drawn tokens; they mean nothing after a row's end of text."""
        return torch.stack(self._logprobs, dim=1)
