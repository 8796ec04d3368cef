"""Guards `length_floor` and `length_range`: detect answers that are too short or too long."""

from rewards.text import word_spans


def length_floor(completion: str, *, minimum: int) -> float:
    """Return the number of words divided by `minimum`, at most 1."""
    return min(1.0, len(word_spans(completion)) / max(1, minimum))


def length_range(completion: str, *, minimum: int, maximum: int) -> float:
    """Return 1 for `minimum` to `maximum` words.

    Below, the value is the share of the minimum that is reached; above, the maximum divided by the number of words.
    """
    num_words = len(word_spans(completion))
    return min(length_floor(completion, minimum=minimum), maximum / num_words if num_words > maximum else 1.0)
