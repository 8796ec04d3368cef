"""Scoring: the reward functions TRL calls, built from the config over the columns of a problem."""

import importlib.util
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from data.problems import Problem, from_row, request, user_text
from rewards.guards import distinct_words, length_floor, on_topic
from rewards.satisfaction import all_satisfied, mean_satisfied, num_satisfied
from rewards.verdict import Verdict
from rewards.verifiers import verify
from rl.config import Rewards

RewardFunction = Callable[..., list[float | None]]

SATISFACTION = {"mean": mean_satisfied, "all": all_satisfied, "count": num_satisfied}


def verdicts_for(problem: Problem, completion: str) -> tuple[Verdict, ...]:
    """One verdict for each of the problem's constraints, in order."""
    prompt = user_text(problem)
    return tuple(verify(spec.id, completion, prompt=prompt, **spec.kwargs) for spec in problem.constraints)


def reward_functions(rewards: Rewards) -> tuple[list[RewardFunction], list[float]]:
    """TRL's `reward_funcs` and `reward_weights`; a reward of weight 0 is left out."""
    own = [load_function(reference) for reference in rewards.functions]
    chosen = [
        (satisfaction_reward(rewards.satisfaction), rewards.satisfaction_weight),
        (guard("on_topic", lambda text, problem: on_topic(text, request=request(problem))), rewards.on_topic_weight),
        (guard("distinct_words", lambda text, _: distinct_words(text)), rewards.distinct_words_weight),
        (guard("length", lambda text, _: length_floor(text, minimum=rewards.min_words)), rewards.length_weight),
        *((function, 1.0) for function in own),
    ]
    kept = [(function, weight) for function, weight in chosen if weight > 0.0]
    return [function for function, _ in kept], [weight for _, weight in kept]


def satisfaction_reward(how: str) -> RewardFunction:
    """The constraints' reward; logs `constraint/{kind}/pass_rate` for every kind in the batch."""

    def constraints(prompts: list, completions: list, log_metric: Callable[[str, float], None], **columns: Any):
        outcomes: dict[str, list[bool]] = defaultdict(list)
        scores = []
        for problem, text in zip(rebuild_problems(prompts, columns), map(completion_text, completions), strict=True):
            verdicts = verdicts_for(problem, text)
            scores.append(SATISFACTION[how](verdicts))
            for spec, verdict in zip(problem.constraints, verdicts, strict=True):
                if verdict.satisfied is not None:
                    outcomes[spec.id].append(verdict.satisfied)
        for kind, passed in sorted(outcomes.items()):
            log_metric(f"constraint/{kind}/pass_rate", sum(passed) / len(passed))
        return scores

    return constraints


def guard(name: str, score: Callable[[str, Problem], float]) -> RewardFunction:
    """A guard as a reward, under its own name in the logs."""

    def function(prompts: list, completions: list, **columns: Any) -> list[float | None]:
        problems = rebuild_problems(prompts, columns)
        return [score(completion_text(text), problem) for text, problem in zip(completions, problems, strict=True)]

    function.__name__ = name
    return function


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
