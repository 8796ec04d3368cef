"""Whether a language model finds a text ordinary."""

from collections.abc import Callable


def fluent(completion: str, *, log_prob: Callable[[str], float], ordinary: float, hopeless: float) -> float:
    """1 for a mean log-probability per token of `ordinary` or more, 0 for `hopeless` or less, linear between.

    `log_prob` asks the model, in nats per token; both bounds are the model's own, measured on honest text.
    """
    if not hopeless < ordinary:
        raise ValueError(f"hopeless must be below ordinary, got hopeless={hopeless}, ordinary={ordinary}")
    return min(1.0, max(0.0, (log_prob(completion) - hopeless) / (ordinary - hopeless)))
