"""Whether a text says new words and new phrases as it goes on."""

from rewards.text import WORD

WINDOW = 50
"""Words over which distinct words are counted: their share falls with length in any honest text."""


def distinct_words(completion: str, *, floor: float = 0.5) -> float:
    """1 while at least `floor` of the words are distinct, in each window of 50 words; else the worst share / floor."""
    words = _words(completion)
    windows = [words[at : at + WINDOW] for at in range(0, max(1, len(words) - WINDOW + 1), WINDOW // 2)]
    shares = [len(set(window)) / len(window) for window in windows if window]
    return min(1.0, min(shares) / floor) if shares else 0.0


def few_repetitions(completion: str, *, size: int = 3, allowed: float = 0.1) -> float:
    """1 while at most `allowed` of the runs of `size` words occurred before; falls to 0 when all did."""
    words = _words(completion)
    runs = [tuple(words[at : at + size]) for at in range(len(words) - size + 1)]
    repeated = 1 - len(set(runs)) / len(runs) if runs else 0.0
    return min(1.0, (1 - repeated) / (1 - allowed))


def _words(text: str) -> list[str]:
    return [match[0].lower() for match in WORD.finditer(text)]
