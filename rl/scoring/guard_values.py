"""Guard values: how far each configured guard lets a completion keep its score, from 0 to 1."""

from collections.abc import Callable, Sequence

from data.problems import Arguments, ConstraintSpec, Problem, request, user_text
from rewards import guards
from rl.config.rewards import RewardsConfig

LogProbs = Callable[[Sequence[Problem], Sequence[str]], list[float]]
"""Problems and one completion of each -> the base model's mean log-probability per token of each completion."""

GUARDS: dict[str, Callable[[str, Problem, RewardsConfig], float]] = {
    "on_topic": lambda text, problem, _: guards.on_topic(text, request=request(problem)),
    "distinct_words": lambda text, problem, _: guards.distinct_words(text, prompt=user_text(problem)),
    "few_repetitions": lambda text, problem, _: guards.few_repetitions(text, prompt=user_text(problem)),
    "length_floor": lambda text, problem, rewards: guards.length_floor(
        text, minimum=rewards.min_words, prompt=user_text(problem), allowed=shortest_allowed(problem.constraints)
    ),
    "prose": lambda text, problem, _: guards.prose(text, prompt=user_text(problem)),
    "not_echo": lambda text, problem, _: guards.not_echo(text, prompt=user_text(problem)),
    "no_filler": lambda text, problem, _: guards.no_filler(text, prompt=user_text(problem)),
    "plain_characters": lambda text, *_: guards.plain_characters(text),
}
"""All guards but `fluent`, which needs the base model."""


def shortest_allowed(constraints: Sequence[ConstraintSpec]) -> int | None:
    """Return the number of words with which an answer keeps every rule about its length; None without such a rule."""
    bounds = [bound for spec in constraints if (bound := _shortest(spec.id, spec.kwargs)) is not None]
    return min(bounds, default=None)


def _shortest(kind: str, kwargs: Arguments) -> int | None:
    match kind:
        case "length:word_range":
            return kwargs.get("minimum") or 1
        case "length_constraints:number_words" if kwargs.get("relation") == "less than":
            return max(1, (kwargs["num_words"] - 1) // 2)
        case "detectable_format:constrained_response":
            return 1
        case _:
            return None


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
