"""Balancing: the weights of several rewards change on schedules during training, and survive a resume."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from transformers import TrainerCallback, TrainerState
from transformers.trainer_callback import ExportableState

from rewards.reward_weights import (
    Decaying,
    Fixed,
    RewardBalancer,
    Rising,
    Targeted,
    WeightSchedule,
    advantage_correlations,
)
from rl.config.rewards import RewardsConfig, ScheduleConfig, constraint_names, reward_names

# Axes: B completions of all ranks, R rewards.


class Balancing(TrainerCallback, ExportableState):
    """The current weights of the rewards; transformers saves them in every checkpoint as a callback's state."""

    def __init__(self, rewards: RewardsConfig):
        self.names = reward_names(rewards)
        self._balancer = RewardBalancer({name: _schedule(rewards, name) for name in self.names})

    def weigh(self, rewards_BR: Tensor, *, num_generations: int, progress: float) -> tuple[Tensor, dict[str, float]]:
        """Return the weights (R,) for this batch and the metrics to log; the batch's means decide the next weights."""
        weights = [self._balancer.weights[name] for name in self.names]
        scores = named_scores(self.names, rewards_BR)
        means = {name: _mean(values) for name, values in scores.items()}
        self._balancer.update(progress=progress, rates=means)
        metrics = {f"balance/{name}/weight": weight for name, weight in zip(self.names, weights, strict=True)}
        return torch.tensor(weights), metrics | correlations(scores, num_generations=num_generations)

    def state(self) -> dict[str, Any]:
        return {"args": {}, "attributes": {"weights": dict(self._balancer.weights)}}

    def on_train_begin(self, args: Any, state: TrainerState, control: Any, **_: Any) -> None:
        states: Any = state.stateful_callbacks  # by name, unlike transformers' annotation
        saved = states.get(type(self).__name__)
        if state.global_step and saved:
            self._balancer.weights = dict(saved["attributes"]["weights"])


def named_scores(names: tuple[str, ...], rewards_BR: Tensor) -> dict[str, list[float | None]]:
    """Return each reward's scores, None where TRL has NaN because the reward did not apply."""
    columns = rewards_BR.double().T.tolist()
    return {
        name: [None if score != score else score for score in column]
        for name, column in zip(names, columns, strict=True)
    }


def correlations(scores: Mapping[str, list[float | None]], *, num_generations: int) -> dict[str, float]:
    """Return the correlation between the advantages of each pair of rewards; negative for rewards in conflict."""
    by_pair = advantage_correlations(scores, group_size=num_generations)
    return {f"balance/{first}~{second}/correlation": value for (first, second), value in by_pair.items()}


def _mean(scores: list[float | None]) -> float | None:
    known = [score for score in scores if score is not None]
    return sum(known) / len(known) if known else None


def _schedule(rewards: RewardsConfig, name: str) -> WeightSchedule:
    """Return the configured schedule of a reward, or its fixed weight."""
    default = rewards.satisfaction_weight if name in constraint_names(rewards) else 1.0
    if name == "thought_budget" and rewards.thought_budget is not None:
        default = rewards.thought_budget.weight
    given = rewards.balance.get(name, ScheduleConfig(weight=default))
    match given.schedule:
        case "rising":
            return Rising(weight=given.weight, speed=given.speed)
        case "decaying":
            return Decaying(weight=given.weight, speed=given.speed)
        case "targeted":
            return Targeted(weight=given.weight, target=given.target, step=given.step, maximum=given.maximum)
        case _:
            return Fixed(weight=given.weight)
