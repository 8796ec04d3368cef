"""Channels: one completion's advantage, split into what each constraint contributed and the rest."""

from dataclasses import dataclass, replace
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

# Axes: B completions, groups of G adjacent ones; C constraints; R reward functions. Channel 0 is the rest, channel
# 1 + c is constraint c.

EPSILON = 1e-4
"""What TRL adds to a standard deviation before it divides by it."""


def constraint_scores(
    verdict_scores: Float[Tensor, "B C"], satisfaction: Literal["mean", "all", "count", "graded"]
) -> Float[Tensor, "B C"]:
    """Return what each constraint adds to its completion's score, before guards; NaN where it does not apply.

    `verdict_scores` are 1, 0 or NaN; under `graded` a violation has its partial score. Under `all` the score cannot be
    split: each constraint counts as under `mean`, and channel 0 makes up the difference.
    """
    if satisfaction == "count":
        return verdict_scores
    return verdict_scores / (~verdict_scores.isnan()).sum(dim=1, keepdim=True)


def guarded_scores(
    scores: Float[Tensor, "B C"], guards: Float[Tensor, " B"], *, num_generations: int
) -> Float[Tensor, "B C"]:
    """Return scores as much smaller as guards make those of the completion's group on average.

    Guards are factors: by the product rule a difference between two satisfactions counts at the typical guard, and
    what guards take from one completion more than from another is left to channel 0.
    """
    mean_N1 = guards.unflatten(0, (-1, num_generations)).mean(dim=1, keepdim=True)
    return scores * mean_N1.expand(-1, num_generations).flatten()[:, None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Scaling:
    """How TRL scales the rewards of each completion on its way to an advantage.

    A difference to the group's mean is divided by `within`, and the quotient, weighted, by `across`.
    """

    within: Float[Tensor, " B"]
    across: float = 1.0
    bound: float = float("inf")
    """The largest size that the first quotient can have where it is a whole reward's."""
    ties_move_nothing: bool = False
    """Whether `within` of a group of equal rewards is 0 but for EPSILON, so that no quotient of it means anything."""

    def rows(self, first: int, number: int) -> "Scaling":
        """Return the scaling of one rank's completions."""
        return replace(self, within=self.within[first : first + number])


def reward_scaling(
    rewards: Float[Tensor, "B R"],
    weights: Float[Tensor, " R"],
    *,
    num_generations: int,
    scale_rewards: Literal["group", "batch", "none"],
    normalize_each: bool,
) -> Scaling:
    """Return TRL's denominators for the first reward, that of the constraints, over the completions of all ranks.

    `rewards` are NaN where a function gave none. `normalize_each` is TRL's `normalize_then_sum`: each reward is
    standardised within its group, and their weighted sum over the batch, whatever `scale_rewards` says.
    """
    totals, largest = total_rewards(rewards, weights), (num_generations - 1) / num_generations**0.5
    if normalize_each:
        deviation_BR = torch.stack([group_deviation(column, num_generations) for column in rewards.T], dim=1)
        means_BR = rewards.unflatten(0, (-1, num_generations)).nanmean(dim=1).repeat_interleave(num_generations, dim=0)
        sums = total_rewards((rewards - means_BR) / (deviation_BR + EPSILON), weights)
        across, bound = group_deviation(sums, len(sums))[0].item() + EPSILON, largest * abs(weights[0].item())
        return Scaling(within=deviation_BR[:, 0] + EPSILON, across=across, bound=bound, ties_move_nothing=True)
    if scale_rewards == "none":
        return Scaling(within=torch.ones_like(totals))
    if scale_rewards == "batch":
        number = len(totals)
        return Scaling(within=group_deviation(totals, number) + EPSILON, bound=(number - 1) / number**0.5)
    deviation = group_deviation(totals, num_generations)
    return Scaling(within=deviation + EPSILON, bound=largest, ties_move_nothing=True)


def total_rewards(rewards: Float[Tensor, "B R"], weights: Float[Tensor, " R"]) -> Float[Tensor, " B"]:
    """Return the weighted totals that TRL compares, NaN where no function gave a reward."""
    return (rewards * weights).nansum(dim=1).where(~rewards.isnan().all(dim=1), torch.nan)


def channel_advantages(
    advantages: Float[Tensor, " B"],
    scores: Float[Tensor, "B C"],
    totals: Float[Tensor, " B"],
    scaling: Scaling,
    *,
    weight: float,
    num_generations: int,
) -> Float[Tensor, "B channels"]:
    """Split A into A_c = weight (s_c - its group's mean) / TRL's denominators, and A_0 = A - sum of A_c.

    The channels sum to A. `totals` are the weighted rewards, NaN where nothing could be scored. Where TRL divides by
    the deviation of a group, one whose rewards are all equal has no advantage to split, so its A_c are 0. An A_c is
    clipped to the largest advantage that the scaling can give: where constraints cancel, a denominator is near 0.
    """
    grouped_NGC = scores.unflatten(0, (-1, num_generations))
    parts = weight * (grouped_NGC - grouped_NGC.nanmean(dim=1, keepdim=True)).flatten(0, 1)
    parts = (parts / scaling.within[:, None]).clamp(min=-scaling.bound, max=scaling.bound) / scaling.across
    moved_B = ~totals.isnan()
    if scaling.ties_move_nothing:
        moved_B &= ~torch.isclose(scaling.within, torch.full_like(scaling.within, EPSILON))
    parts = parts.nan_to_num(nan=0.0).where(moved_B[:, None], 0.0)
    return torch.cat([advantages[:, None] - parts.sum(dim=1, keepdim=True), parts], dim=1)


def group_deviation(rewards: Float[Tensor, " B"], num_generations: int) -> Float[Tensor, " B"]:
    """Return the standard deviation (n - 1) of each row's group over its rows with a reward; 0 for fewer than two."""
    grouped_NG = rewards.unflatten(0, (-1, num_generations))
    count_N1 = (~grouped_NG.isnan()).sum(dim=1, keepdim=True)
    squares_N1 = (grouped_NG - grouped_NG.nanmean(dim=1, keepdim=True)).square().nansum(dim=1, keepdim=True)
    deviation_N1 = (squares_N1 / (count_N1 - 1).clamp(min=1)).sqrt()
    return deviation_N1.expand(grouped_NG.shape).flatten()
