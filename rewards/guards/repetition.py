"""Guards `distinct_words` and `few_repetitions`: detect text that repeats its words and phrases."""

import re

from rewards.guards.asked import asks_for
from rewards.guards.languages import WORD
from rewards.text import lower_words, word_runs

WINDOW = 50
"""Number of words among which distinct words are counted: their share falls with length in any honest text."""
SYMBOL = re.compile(r"[^\w\s]")


def distinct_words(completion: str, *, floor: float = 0.5, prompt: str = "") -> float:
    """Return 1 while at least `floor` of the words in each window of 50 are distinct, else worst share / `floor`.

    Symbols count as words where there are no words. Songs and data repeat more, and words asked to be repeated, too:
    half of `floor` will do.
    """
    words = lower_words(completion) or SYMBOL.findall(completion)
    windows = [words[start : start + WINDOW] for start in range(0, max(1, len(words) - WINDOW + 1), WINDOW // 2)]
    shares = [len(set(window)) / len(window) for window in windows if window]
    if asks_for(prompt, "verse", "data", "items", "copy", "symbols"):
        floor /= 2
    return min(1.0, min(shares) / floor) if shares else 0.0


def few_repetitions(completion: str, *, size: int = 3, allowed: float = 0.12, prompt: str = "") -> float:
    """Return 1 while at most `allowed` of the runs of `size` words occurred before, 0 when all did.

    The value falls linearly in between. Songs, data and words asked to be repeated may repeat half of their runs.
    """
    runs = word_runs([word.lower() for word in WORD.findall(completion)], size)
    if asks_for(prompt, "verse", "data", "items", "copy", "symbols"):
        allowed = max(allowed, 0.5)
    repeated = 1 - len(set(runs)) / len(runs) if runs else 0.0
    return min(1.0, (1 - repeated) / (1 - allowed))
