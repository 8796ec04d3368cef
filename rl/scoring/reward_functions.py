"""Scoring: the reward functions TRL calls, built from the config over the columns of a problem."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from data.constraints import KINDS
from data.problems import Problem, from_row, request, user_text
from data.verdicts import verdicts_for
from rewards import guards
from rewards.satisfaction import all_satisfied, graded_satisfied, mean_satisfied, num_satisfied
from rewards.verdict import Verdict
from rl.common.plugins import load_function
from rl.config.rewards import RewardsConfig, constraint_names

RewardFunction = Callable[..., list[float | None]]
LogMetric = Callable[[str, float], None]
LogProbs = Callable[[Sequence[Problem], Sequence[str]], list[float]]
"""Problems and a completion of each -> the base model's mean log-probability per token of each completion."""

SATISFACTION = {"mean": mean_satisfied, "all": all_satisfied, "count": num_satisfied, "graded": graded_satisfied}

GUARDS: dict[str, Callable[[str, Problem, RewardsConfig], float]] = {
    "on_topic": lambda text, problem, _: guards.on_topic(text, request=request(problem)),
    "distinct_words": lambda text, *_: guards.distinct_words(text),
    "few_repetitions": lambda text, *_: guards.few_repetitions(text),
    "length_floor": lambda text, _, rewards: guards.length_floor(text, minimum=rewards.min_words),
    "prose": lambda text, *_: guards.prose(text),
    "not_echo": lambda text, problem, _: guards.not_echo(text, prompt=user_text(problem)),
    "no_filler": lambda text, problem, _: guards.no_filler(text, prompt=user_text(problem)),
    "plain_characters": lambda text, *_: guards.plain_characters(text),
}
"""All guards but `fluent`, which asks a model."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ScoredCompletion:
    """One completion: what its verifiers and the guards said."""

    problem: Problem
    verdicts: tuple[Verdict, ...]
    guards: dict[str, float]


Judge = Callable[[list, list, dict[str, Any], LogMetric], list[ScoredCompletion]]
"""TRL's prompts, completions, columns and `log_metric` -> one judgement a completion."""


def reward_functions(
    rewards: RewardsConfig, *, log_probs: LogProbs | None = None
) -> tuple[list[RewardFunction], list[float]]:
    """TRL's `reward_funcs` and `reward_weights`: the guarded constraints, then your own functions.

    `log_probs` asks the base model, for the guard `fluent`.
    """
    judge = judging(rewards, log_probs)
    constraints = [constraint_reward(rewards, name, judge=judge) for name in constraint_names(rewards)]
    functions = [load_function(reference, key="rewards.functions") for reference in rewards.functions]
    return constraints + functions, [rewards.satisfaction_weight] * len(constraints) + [1.0] * len(functions)


def constraint_reward(
    rewards: RewardsConfig, name: str = "constraints", *, judge: Judge | None = None
) -> RewardFunction:
    """The score of the constraints, or of one category of them, times the worst guard; None where none applies."""
    judge = judge or judging(rewards)

    def reward(prompts: list, completions: list, log_metric: LogMetric, **columns: Any):
        return [
            None
            if (score := _score(rewards, found, name)) is None
            else guards.apply_guards(score, list(found.guards.values()))
            for found in judge(prompts, completions, columns, log_metric)
        ]

    reward.__name__ = name  # TRL logs it as rewards/{name}/mean
    return reward


def judging(rewards: RewardsConfig, log_probs: LogProbs | None = None) -> Judge:
    """What the rewards for constraints share: each batch is judged once, however many of them ask.

    A completion that was cut off (column `finish_reason`, from the rollout) is held to `rewards.unfinished` as well.
    Logs `constraint/{kind}/pass_rate` for every kind in the batch, the mean of every guard as `guard/{name}`, and
    `completions/distinct_words`.
    """
    last: tuple[list, list[ScoredCompletion]] | None = None

    def judge(
        prompts: list, completions: list, columns: dict[str, Any], log_metric: LogMetric
    ) -> list[ScoredCompletion]:
        nonlocal last
        if last is None or last[0] is not completions:
            problems, texts = rebuild_problems(prompts, columns), [completion_text(text) for text in completions]
            finished = [reason != "length" for reason in columns.get("finish_reason", ["stop"] * len(texts))]
            last = completions, _judged(rewards, problems, texts, finished, log_probs)
            _log(last[1], texts, log_metric)
        return last[1]

    return judge


def _judged(
    rewards: RewardsConfig, problems: list[Problem], texts: list[str], finished: list[bool], log_probs: LogProbs | None
) -> list[ScoredCompletion]:
    held = [
        guard_values(text, problem, rewards, finished=done)
        for text, problem, done in zip(texts, problems, finished, strict=True)
    ]
    if "fluent" in rewards.guards:
        if log_probs is None:
            raise ValueError("the guard 'fluent' asks the base model, and none was given")
        ordinary, hopeless = rewards.fluency
        for values, text, value in zip(held, texts, log_probs(problems, texts), strict=True):
            values["fluent"] = guards.fluent(
                text, log_prob=lambda _, value=value: value, ordinary=ordinary, hopeless=hopeless
            )
    return [
        ScoredCompletion(problem=problem, verdicts=verdicts_for(problem, text), guards=values)
        for problem, text, values in zip(problems, texts, held, strict=True)
    ]


def _log(judged: list[ScoredCompletion], texts: list[str], log_metric: LogMetric) -> None:
    outcomes: dict[str, list[float]] = defaultdict(list)
    for found, text in zip(judged, texts, strict=True):
        for spec, verdict in zip(found.problem.constraints, found.verdicts, strict=True):
            if verdict.satisfied is not None:
                outcomes[f"constraint/{spec.id}/pass_rate"].append(float(verdict.satisfied))
        for name, value in found.guards.items():
            outcomes[f"guard/{name}"].append(value)
        outcomes["completions/distinct_words"].append(guards.distinct_words(text, floor=1.0))
    for name, values in sorted(outcomes.items()):
        log_metric(name, sum(values) / len(values))


def _score(rewards: RewardsConfig, found: ScoredCompletion, name: str) -> float | None:
    pairs = zip(found.problem.constraints, found.verdicts, strict=True)
    wanted = [verdict for spec, verdict in pairs if name in ("constraints", _category(spec.id))]
    score = SATISFACTION[rewards.satisfaction](wanted) if wanted else None
    return None if score is None else float(score)


def _category(kind: str) -> str:
    return KINDS[kind].category if kind in KINDS else "own"


def guard_values(text: str, problem: Problem, rewards: RewardsConfig, *, finished: bool) -> dict[str, float]:
    """What each configured guard says of a completion, but for `fluent`."""
    held = {name: GUARDS[name](text, problem, rewards) for name in rewards.guards if name in GUARDS}
    return held if rewards.unfinished == 1.0 else held | {"finished": 1.0 if finished else rewards.unfinished}


def rebuild_problems(prompts: Sequence, columns: dict[str, Any]) -> list[Problem]:
    """The problems behind TRL's columns, one a completion."""
    listed = {name: values for name, values in columns.items() if isinstance(values, list)}
    rows = zip(prompts, *listed.values(), strict=True)
    return [from_row(dict(zip(("prompt", *listed), row, strict=True))) for row in rows]


def completion_text(completion: str | list[dict[str, str]]) -> str:
    """The text of a completion, be it a string or chat messages."""
    return completion if isinstance(completion, str) else completion[-1]["content"]
