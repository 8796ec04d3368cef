"""Guards: rewards in [0, 1] that fall when a text collapses into what pays, and an alarm that says so.

Constraints alone are hacked at once: answers shrink to the three words that satisfy them. A guard is 1 for any
ordinary text, so it costs an honest answer nothing.
"""

from collections.abc import Sequence

from rewards.text import word_spans
from rewards.topic import key_stems, request_stems

WINDOW = 50
"""Words over which distinct words are counted: the share falls with length in any honest text."""


def on_topic(completion: str, *, request: str, share: float = 0.34) -> float:
    """Whether the text names what the request is about.

    1 once `share` of the request's key words (at least one) occur, stemmed; proportionally less below; 1 for a
    request without key words.
    """
    wanted = request_stems(request)
    needed = max(1, round(share * len(wanted)))
    return min(1.0, len(wanted & key_stems(completion)) / needed) if wanted else 1.0


def distinct_words(completion: str, *, floor: float = 0.5) -> float:
    """1 while at least `floor` of the words are distinct, in each window of 50 words; else the worst share / floor."""
    words = _words(completion)
    windows = [words[at : at + WINDOW] for at in range(0, max(1, len(words) - WINDOW + 1), WINDOW // 2)]
    shares = [len(set(window)) / len(window) for window in windows if window]
    return min(1.0, min(shares) / floor) if shares else 0.0


def few_repetitions(completion: str, *, size: int = 4, allowed: float = 0.1) -> float:
    """1 while at most `allowed` of the runs of `size` words occurred before; falls to 0 when all did."""
    words = _words(completion)
    runs = [tuple(words[at : at + size]) for at in range(len(words) - size + 1)]
    repeated = 1 - len(set(runs)) / len(runs) if runs else 0.0
    return min(1.0, (1 - repeated) / (1 - allowed))


def length_floor(completion: str, *, minimum: int) -> float:
    """Number of words over `minimum`, at most 1."""
    return min(1.0, len(word_spans(completion)) / max(1, minimum))


def length_range(completion: str, *, minimum: int, maximum: int) -> float:
    """1 for `minimum` to `maximum` words; below, the share of the minimum; above, the maximum over the words."""
    num_words = len(word_spans(completion))
    return min(length_floor(completion, minimum=minimum), maximum / num_words if num_words > maximum else 1.0)


def guarded(score: float, guards: Sequence[float]) -> float:
    """The score times its worst guard: no other virtue buys back what a guard takes."""
    return score * min(guards, default=1.0)


def _words(text: str) -> list[str]:
    return [text[start:end].lower() for start, end in word_spans(text)]
