"""Guard `length_floor`: detects answers that are too short."""

import re

from rewards.guards.asked import asks_for, is_offered

WORD = re.compile(r"[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\W_]+")
"""A word, or a character of a script that writes words without spaces."""
UNSPACED = re.compile(r"[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff]")
SYMBOL = re.compile(r"[^\x00-\x7f\w\s]")


def length_floor(completion: str, *, minimum: int, prompt: str = "", allowed: int | None = None) -> float:
    """Return the number of words divided by `minimum`, at most 1.

    A prompt that asks for one word, a title or a formula needs one word only, data and code need three, a list or a
    poem half of `minimum`, and rules that allow an answer of `allowed` words need no more. Two characters of Chinese,
    Japanese or Thai count as one word; symbols count where symbols are asked for.
    """
    if is_offered(completion, prompt):
        return 1.0
    words = WORD.findall(completion)
    num_words = len(words) - sum(bool(UNSPACED.match(word)) for word in words) / 2
    if asks_for(prompt, "symbols"):
        num_words += len(SYMBOL.findall(completion))
    return min(1.0, num_words / max(1, _floor(minimum, prompt, allowed)))


def _floor(minimum: int, prompt: str, allowed: int | None) -> int:
    floors = [minimum] if allowed is None else [minimum, allowed]
    if asks_for(prompt, "short", "symbols", "copy"):
        floors.append(1)
    if asks_for(prompt, "data"):
        floors.append(3)
    if asks_for(prompt, "items", "verse"):
        floors.append(minimum // 2)
    return min(floors)
