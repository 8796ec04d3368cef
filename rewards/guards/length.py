"""Guard `length_floor`: detects answers that are too short."""

from rewards.text import word_spans


def length_floor(completion: str, *, minimum: int) -> float:
    """Return the number of words divided by `minimum`, at most 1."""
    return min(1.0, len(word_spans(completion)) / max(1, minimum))
