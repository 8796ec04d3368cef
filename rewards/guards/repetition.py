"""Guards `distinct_words` and `few_repetitions`: detect text that repeats its words and phrases."""

from rewards.text import lower_words, word_runs

WINDOW = 50
"""Number of words among which distinct words are counted: their share falls with length in any honest text."""


def distinct_words(completion: str, *, floor: float = 0.5) -> float:
    """Return 1 while at least `floor` of the words in each window of 50 are distinct, else worst share / `floor`."""
    words = lower_words(completion)
    windows = [words[start : start + WINDOW] for start in range(0, max(1, len(words) - WINDOW + 1), WINDOW // 2)]
    shares = [len(set(window)) / len(window) for window in windows if window]
    return min(1.0, min(shares) / floor) if shares else 0.0


def few_repetitions(completion: str, *, size: int = 3, allowed: float = 0.1) -> float:
    """Return 1 while at most `allowed` of the runs of `size` words occurred before, 0 when all did.

    The value falls linearly in between.
    """
    runs = word_runs(lower_words(completion), size)
    repeated = 1 - len(set(runs)) / len(runs) if runs else 0.0
    return min(1.0, (1 - repeated) / (1 - allowed))
