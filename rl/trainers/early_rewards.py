"""Early rewards: groups rewarded before their batch is whole, so that those without a signal can be replaced."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from trl.trainer import grpo_trainer

from rl.credit.channels import total_rewards
from rl.rollouts.types import Sample

# Axes: B rows of a batch, R rewards.

Reward = Callable[[list[dict[str, Any]], list, list, list[list[int]]], Tensor]
"""Rows, prompts, completions and their ids -> rewards (B, R)."""


class EarlyRewards:
    """Rewards of the groups that were sampled for the next batch, each given once (dynamic sampling)."""

    def __init__(
        self,
        reward: Reward,
        *,
        answer: Callable[[Sample], str],
        thoughts: Callable[[Sequence[Sample]], Mapping[str, list[Any]]] = lambda samples: {},
        weights: Callable[[], Tensor],
    ):
        """`answer` is the text of a sample that is judged, `thoughts` are the columns of `thought_columns`.

        `weights` are those of the rewards at the moment.
        """
        self.reward = reward
        self.answer = answer
        self.thoughts = thoughts
        self.weights = weights
        self._groups: dict[int, Tensor] = {}

    def group_rewards(
        self, indices: Sequence[int], rows: Sequence[Mapping[str, Any]], samples: Sequence[Sequence[Sample]]
    ) -> list[list[float]]:
        """Reward the groups at these places of the batch; return the total rewards in each, NaN for none."""
        pairs = [(row, sample) for row, group in zip(rows, samples, strict=True) for sample in group]
        if not pairs:
            return []
        columns = {"finish_reason": [sample.finish_reason for _, sample in pairs]}
        columns |= self.thoughts([sample for _, sample in pairs])
        inputs = [
            {**row, **{name: values[index] for name, values in columns.items()}} for index, (row, _) in enumerate(pairs)
        ]
        completions = [[{"role": "assistant", "content": self.answer(sample)}] for _, sample in pairs]
        ids = [list(sample.completion_ids) for _, sample in pairs]
        with _on_this_rank():
            rewards = self.reward(inputs, [row["prompt"] for row in inputs], completions, ids)
        groups = rewards.split(len(samples[0]))
        self._groups |= dict(zip(indices, groups, strict=True))
        return [total_rewards(group, self.weights().to(group.device)).tolist() for group in groups]

    def take(self, num_rows: int) -> Tensor | None:
        """Return and forget this rank's rewards, NaN for a group that was not sampled; None if none was given."""
        groups, self._groups = self._groups, {}
        if not groups:
            return None
        like = next(iter(groups.values()))
        none = torch.full_like(like, torch.nan)
        return torch.cat([groups.get(index, none) for index in range(num_rows // len(like))])


@contextmanager
def _on_this_rank() -> Iterator[None]:
    """Have TRL's rewards stay on this rank in the block: no two ranks need reward as many groups before time."""
    trl: Any = grpo_trainer  # which does not export what it gathers with
    gather = trl.gather
    trl.gather = lambda rewards: rewards
    try:
        yield
    finally:
        trl.gather = gather
