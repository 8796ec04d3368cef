"""Channels: one completion's advantage, split into what each constraint contributed and the rest."""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

# Axes: B completions, groups of G adjacent ones; C constraints. Channel 0 is the rest, channel 1 + c is constraint c.

EPSILON = 1e-4
"""What TRL adds to a group's standard deviation before it divides by it."""


def constraint_scores(
    satisfied: Float[Tensor, "B C"], satisfaction: Literal["mean", "all", "count"]
) -> Float[Tensor, "B C"]:
    """Return what each constraint adds to its completion's score, before guards; NaN where it does not apply.

    `satisfied` is 1, 0 or NaN. Under `all` the score cannot be split: each constraint counts as under `mean`, and
    channel 0 makes up the difference.
    """
    if satisfaction == "count":
        return satisfied
    return satisfied / (~satisfied.isnan()).sum(dim=1, keepdim=True)


def channel_advantages(
    advantages: Float[Tensor, " B"],
    scores: Float[Tensor, "B C"],
    rewards: Float[Tensor, " B"],
    *,
    weight: float,
    num_generations: int,
    scale_rewards: Literal["group", "none"],
) -> Float[Tensor, "B channels"]:
    """Split A into A_c = weight (s_c - its group's mean) / TRL's denominator, and A_0 = A - sum of A_c.

    The channels sum to A. `rewards` are the weighted totals that TRL compares, NaN where nothing could be scored. A
    group whose rewards are all equal has no advantage to split, so its A_c are 0. Under group scaling an A_c is clipped
    to (G-1)/sqrt(G), the largest advantage in a group of G: where constraints cancel, the denominator is near 0.
    """
    grouped_NGC = scores.unflatten(0, (-1, num_generations))
    parts = weight * (grouped_NGC - grouped_NGC.nanmean(dim=1, keepdim=True)).flatten(0, 1)
    deviation_B1 = group_deviation(rewards, num_generations)[:, None]
    if scale_rewards == "group":
        bound = (num_generations - 1) / num_generations**0.5
        parts = (parts / (deviation_B1 + EPSILON)).clamp(min=-bound, max=bound)
    differs_B1 = ~torch.isclose(deviation_B1, torch.zeros_like(deviation_B1)) & ~rewards.isnan()[:, None]
    parts = parts.nan_to_num(nan=0.0).where(differs_B1, 0.0)
    return torch.cat([advantages[:, None] - parts.sum(dim=1, keepdim=True), parts], dim=1)


def group_deviation(rewards: Float[Tensor, " B"], num_generations: int) -> Float[Tensor, " B"]:
    """Return the standard deviation (n - 1) of each row's group over its rows with a reward; 0 for fewer than two."""
    grouped_NG = rewards.unflatten(0, (-1, num_generations))
    count_N1 = (~grouped_NG.isnan()).sum(dim=1, keepdim=True)
    squares_N1 = (grouped_NG - grouped_NG.nanmean(dim=1, keepdim=True)).square().nansum(dim=1, keepdim=True)
    deviation_N1 = (squares_N1 / (count_N1 - 1).clamp(min=1)).sqrt()
    return deviation_N1.expand(grouped_NG.shape).flatten()
