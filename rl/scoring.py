"""Scoring: the reward functions TRL calls, built from the config over the columns of a problem."""

import importlib.util
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from data.problems import Problem, from_row, request, user_text
from rewards import guards
from rewards.satisfaction import all_satisfied, graded_satisfied, mean_satisfied, num_satisfied
from rewards.verdict import Verdict
from rewards.verifiers import verify
from rl.config import Rewards

RewardFunction = Callable[..., list[float | None]]

SATISFACTION = {"mean": mean_satisfied, "all": all_satisfied, "count": num_satisfied, "graded": graded_satisfied}

GUARDS: dict[str, Callable[[str, Problem, Rewards], float]] = {
    "on_topic": lambda text, problem, _: guards.on_topic(text, request=request(problem)),
    "distinct_words": lambda text, *_: guards.distinct_words(text),
    "few_repetitions": lambda text, *_: guards.few_repetitions(text),
    "length_floor": lambda text, _, rewards: guards.length_floor(text, minimum=rewards.min_words),
    "prose": lambda text, *_: guards.prose(text),
    "own_words": lambda text, problem, _: guards.own_words(text, prompt=user_text(problem)),
    "no_filler": lambda text, problem, _: guards.no_filler(text, prompt=user_text(problem)),
    "plain_characters": lambda text, *_: guards.plain_characters(text),
}


def verdicts_for(problem: Problem, completion: str) -> tuple[Verdict, ...]:
    """One verdict for each of the problem's constraints, in order."""
    prompt = user_text(problem)
    return tuple(verify(spec.id, completion, prompt=prompt, **spec.kwargs) for spec in problem.constraints)


def reward_functions(rewards: Rewards) -> tuple[list[RewardFunction], list[float]]:
    """TRL's `reward_funcs` and `reward_weights`: the guarded constraints, then your own functions."""
    functions = [load_function(reference) for reference in rewards.functions]
    weights = [1.0] * len(functions)
    if rewards.satisfaction_weight:
        functions.insert(0, constraint_reward(rewards))
        weights.insert(0, rewards.satisfaction_weight)
    return functions, weights


def constraint_reward(rewards: Rewards) -> RewardFunction:
    """The constraints' score times the worst guard; None where no constraint applies.

    A completion that was cut off (column `finish_reason`, from the rollout) is held to `rewards.unfinished` as well.
    Logs `constraint/{kind}/pass_rate` for every kind in the batch, and the mean of every guard as `guard/{name}`.
    """

    def constraints(prompts: list, completions: list, log_metric: Callable[[str, float], None], **columns: Any):
        outcomes: dict[str, list[float]] = defaultdict(list)
        scores = []
        problems = rebuild_problems(prompts, columns)
        reasons = columns.get("finish_reason", ["stop"] * len(problems))
        for problem, text, reason in zip(problems, map(completion_text, completions), reasons, strict=True):
            verdicts = verdicts_for(problem, text)
            for spec, verdict in zip(problem.constraints, verdicts, strict=True):
                if verdict.satisfied is not None:
                    outcomes[f"constraint/{spec.id}/pass_rate"].append(float(verdict.satisfied))
            held = guard_values(text, problem, rewards, finished=reason != "length")
            for name, value in held.items():
                outcomes[f"guard/{name}"].append(value)
            score = SATISFACTION[rewards.satisfaction](verdicts)
            scores.append(None if score is None else guards.guarded(float(score), list(held.values())))
        for name, values in sorted(outcomes.items()):
            log_metric(name, sum(values) / len(values))
        return scores

    return constraints


def guard_values(text: str, problem: Problem, rewards: Rewards, *, finished: bool) -> dict[str, float]:
    """What each configured guard says of a completion."""
    held = {name: GUARDS[name](text, problem, rewards) for name in rewards.guards}
    return held if rewards.unfinished == 1.0 else held | {"finished": 1.0 if finished else rewards.unfinished}


def rebuild_problems(prompts: Sequence, columns: dict[str, Any]) -> list[Problem]:
    """The problems behind TRL's columns, one a completion."""
    listed = {name: values for name, values in columns.items() if isinstance(values, list)}
    rows = zip(prompts, *listed.values(), strict=True)
    return [from_row(dict(zip(("prompt", *listed), row, strict=True))) for row in rows]


def completion_text(completion: str | list[dict[str, str]]) -> str:
    """The text of a completion, be it a string or chat messages."""
    return completion if isinstance(completion, str) else completion[-1]["content"]


def load_function(reference: str) -> RewardFunction:
    """The function named by `path/to/file.py:function`. Raises ValueError when either is missing."""
    path, _, name = reference.rpartition(":")
    if not Path(path).is_file():
        raise ValueError(f"rewards.functions: no file {path!r} for {reference!r}; write path/to/file.py:function")
    spec = importlib.util.spec_from_file_location(Path(path).stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if not callable(getattr(module, name, None)):
        raise ValueError(f"rewards.functions: {path} has no function {name!r}")
    return getattr(module, name)
