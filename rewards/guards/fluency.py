"""Guard `fluent`: detects text that a language model finds improbable."""

from collections.abc import Callable


def fluent(completion: str, *, log_prob: Callable[[str], float], ordinary: float, hopeless: float) -> float:
    """Return 1 for a mean logprob per token of `ordinary` or more, 0 for `hopeless` or less, linear in between.

    `log_prob` asks the model, in nats per token; both bounds depend on the model and are measured on honest text.
    """
    if not hopeless < ordinary:
        raise ValueError(f"hopeless must be below ordinary, got hopeless={hopeless}, ordinary={ordinary}")
    return min(1.0, max(0.0, (log_prob(completion) - hopeless) / (ordinary - hopeless)))
