"""Reward functions: what TRL calls to turn a batch of completions into rewards, built from the config."""

import pickle
from collections.abc import Callable, Sequence
from inspect import iscoroutinefunction
from typing import Any

from data.constraints import KINDS
from rewards.guards import apply_guards
from rewards.satisfaction import all_satisfied, graded_satisfied, mean_satisfied, num_satisfied
from rl.common.plugins import load_function
from rl.config.rewards import RewardsConfig, ThoughtBudgetConfig, constraint_names
from rl.scoring.reward_values import reward_values
from rl.scoring.scorer import BatchScorer, LogMetric, ScoredCompletion

RewardFunction = Callable[..., list[float | None]]

SATISFACTION = {"mean": mean_satisfied, "all": all_satisfied, "count": num_satisfied, "graded": graded_satisfied}


def reward_functions(
    rewards: RewardsConfig, *, scorer: BatchScorer | None = None
) -> tuple[list[RewardFunction], list[float]]:
    """Return TRL's `reward_funcs` and `reward_weights`: the guarded constraints, thoughts, the user's own functions."""
    scorer = scorer or BatchScorer(rewards)
    constraints = [constraint_reward(scorer, name) for name in constraint_names(rewards)]
    weights, budget = [rewards.satisfaction_weight] * len(constraints), rewards.thought_budget
    thoughts = [] if budget is None else [thought_reward(budget)]
    weights += [] if budget is None else [budget.weight]
    functions = custom_rewards(rewards)
    return constraints + thoughts + functions, weights + [1.0] * len(functions)


def custom_rewards(rewards: RewardsConfig) -> list[RewardFunction]:
    """Return the user's own functions. Raises UserError for one that is missing."""
    return [
        isolated(load_function(reference, key="rewards.functions"), name=reference.rpartition(":")[2])
        for reference in rewards.functions
    ]


def isolated(function: Callable[..., Any], *, name: str) -> Callable[..., Any]:
    """Return a custom function under its name in the config, by which its metrics go.

    What it edits are copies; what it returns is checked.
    """

    def copied(columns: dict[str, Any]) -> dict[str, Any]:
        listed = {key: values for key, values in columns.items() if isinstance(values, list)}
        return columns | pickle.loads(pickle.dumps(listed))  # ten times as fast as deepcopy with token ids

    def checked(returned: Any, columns: dict[str, Any]) -> list[float | None]:
        count, state = len(columns["completions"]), columns.get("trainer_state")
        problem_ids = columns.get("problem_id") or [f"of completion {index + 1}" for index in range(count)]
        in_training = getattr(state, "max_steps", 0) > 0
        step = state.global_step + 1 if state is not None and in_training else None
        return reward_values(returned, name=name, problem_ids=problem_ids, step=step)

    async def asynchronous(**columns: Any) -> Any:
        return checked(await function(**copied(columns)), columns)

    def synchronous(**columns: Any) -> Any:
        return checked(function(**copied(columns)), columns)

    is_async = iscoroutinefunction(function) or iscoroutinefunction(function.__call__)
    reward: Callable[..., Any] = asynchronous if is_async else synchronous
    reward.__name__ = name
    return reward


def constraint_reward(scorer: BatchScorer, name: str = "constraints") -> RewardFunction:
    """Return the reward for all constraints, or for one category of them: their score times the worst guard's value.

    It is None for a completion that no such constraint applies to.
    """

    def reward(prompts: list, completions: list, log_metric: LogMetric, **columns: Any):
        batch = scorer.score(column_rows(prompts, columns), completions, log_metric)
        return [_guarded_score(scored, name, scorer.rewards) for scored in batch]

    reward.__name__ = name  # TRL logs it as rewards/{name}/mean
    return reward


def thought_reward(budget: ThoughtBudgetConfig) -> RewardFunction:
    """Return the reward for a thought of few tokens: 0 up to the budget, then falling, to -1 at twice the budget."""

    def thought_budget(thought_tokens: list[int], **columns: Any) -> list[float | None]:
        return [-min(1.0, max(0, count - budget.tokens) / budget.tokens) for count in thought_tokens]

    return thought_budget


def column_rows(prompts: Sequence, columns: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the dataset rows behind TRL's columns, one for each completion."""
    listed = {name: values for name, values in columns.items() if isinstance(values, list)}
    return [dict(zip(("prompt", *listed), row, strict=True)) for row in zip(prompts, *listed.values(), strict=True)]


def _guarded_score(scored: ScoredCompletion, name: str, rewards: RewardsConfig) -> float | None:
    pairs = zip(scored.problem.constraints, scored.verdicts, strict=True)
    verdicts = [verdict for spec, verdict in pairs if name in ("constraints", _category(spec.id, rewards))]
    score = SATISFACTION[rewards.satisfaction](verdicts) if verdicts else None
    return None if score is None else apply_guards(float(score), list(scored.guard_values.values()))


def _category(kind: str, rewards: RewardsConfig) -> str:
    """Return the category of a kind; one of a benchmark, which no generator draws, is about content."""
    if kind in rewards.verifiers:
        return "own"
    return KINDS[kind].category if kind in KINDS else "content"
