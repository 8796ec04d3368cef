"""Refill: groups without signal are sampled again from the next prompts (dynamic sampling, arXiv 2503.14476)."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from rl.rollouts.data_order import REFILL
from rl.rollouts.interfaces import Outcome, SampledRequest
from rl.rollouts.types import RolloutRequest, Sample

NO_SIGNAL = "no signal"
"""Reason for which the ledger drops a group whose completions all earn the same."""

Row = dict[str, Any]
Group = tuple[RolloutRequest, Outcome]
"""A request of one group, and what became of it."""
GroupRewards = Callable[[Sequence[int], Sequence[Row], Sequence[Sequence[Sample]]], list[list[float]]]
"""Indices of groups in the batch, their rows and their samples -> the total rewards in each group, NaN for none."""


def split_groups(requests: Sequence[RolloutRequest], outcomes: Sequence[Outcome]) -> Iterator[Group]:
    """Yield the groups of the requests, each as a request of its own with its part of the outcome."""
    for request, outcome in zip(requests, outcomes, strict=True):
        for index, position in enumerate(request.positions):
            one = replace(
                request,
                position=position,
                prompts=request.prompts[index : index + 1],
                tasks=request.tasks[index : index + 1],
            )
            if isinstance(outcome, SampledRequest):
                first = index * request.num_generations
                samples = outcome.samples[first : first + request.num_generations]
                yield one, SampledRequest(samples=samples, worker=outcome.worker, digest=outcome.digest, seconds=0.0)
            else:
                yield one, outcome


def has_signal(rewards: Sequence[float]) -> bool:
    """Whether the rewards of a group's completions differ."""
    return len({reward for reward in rewards if not math.isnan(reward)}) > 1


def replacement(group: RolloutRequest, row: Row, prompt: tuple[int, ...], *, version: int) -> RolloutRequest:
    """Return the request of a group that takes the place of another, with its own position and random numbers."""
    task = str(row.get("task", ""))
    return replace(
        group,
        position=group.position + REFILL,
        prompts=(prompt,),
        version=version,
        tasks=(task,) if group.tasks else (),
    )
