"""Whether a text has the length of an answer."""

from rewards.text import word_spans


def length_floor(completion: str, *, minimum: int) -> float:
    """Number of words over `minimum`, at most 1."""
    return min(1.0, len(word_spans(completion)) / max(1, minimum))


def length_range(completion: str, *, minimum: int, maximum: int) -> float:
    """1 for `minimum` to `maximum` words; below, the share of the minimum; above, the maximum over the words."""
    num_words = len(word_spans(completion))
    return min(length_floor(completion, minimum=minimum), maximum / num_words if num_words > maximum else 1.0)
