"""Guard values: how far each configured guard lets a completion keep its score, from 0 to 1."""

from collections.abc import Callable, Sequence

from data.problems import Problem, request, user_text
from rewards import guards
from rl.config.rewards import RewardsConfig

LogProbs = Callable[[Sequence[Problem], Sequence[str]], list[float]]
"""Problems and one completion of each -> the base model's mean log-probability per token of each completion."""

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
"""All guards but `fluent`, which needs the base model."""


def guard_values(text: str, problem: Problem, rewards: RewardsConfig, *, finished: bool) -> dict[str, float]:
    """Return each configured guard's value for one completion, `fluent` excepted.

    A completion that was cut off at the length limit gets `rewards.unfinished` as the value `finished`.
    """
    values = {name: GUARDS[name](text, problem, rewards) for name in rewards.guards if name in GUARDS}
    return values if rewards.unfinished == 1.0 else values | {"finished": 1.0 if finished else rewards.unfinished}


def fluency_values(
    problems: Sequence[Problem], texts: Sequence[str], rewards: RewardsConfig, log_probs: LogProbs | None
) -> list[float]:
    """Return the value of the guard `fluent` for each completion. Raises ValueError without `log_probs`."""
    if log_probs is None:
        raise ValueError("the guard 'fluent' needs log-probabilities of the base model, and none were given")
    ordinary, hopeless = rewards.fluency
    return [
        guards.fluent(text, log_prob=lambda _, value=value: value, ordinary=ordinary, hopeless=hopeless)
        for text, value in zip(texts, log_probs(problems, texts), strict=True)
    ]
