"""Guard `not_echo`: detects an answer that repeats the prompt."""

from rewards.guards.asked import asks_for, is_offered
from rewards.text import lower_words, word_runs


def not_echo(completion: str, *, prompt: str, size: int = 4, allowed: float = 0.3) -> float:
    """Return 1 while at most `allowed` of the runs of `size` words also occur in the prompt, 0 when all do.

    The value falls linearly in between; a text shorter than `size` words is one run. Where the prompt asks to repeat,
    rewrite or choose, or for a word or two, its words belong in the answer: the value is 1.
    """
    words = lower_words(completion)
    if asks_for(prompt, "copy") or (len(words) < size and asks_for(prompt, "short", "symbols")):
        return 1.0
    if is_offered(completion, prompt):
        return 1.0
    size = min(size, len(words))
    prompt_runs = set(word_runs(lower_words(prompt), size))
    runs = word_runs(words, size)
    copied = sum(run in prompt_runs for run in runs) / len(runs)
    return min(1.0, (1 - copied) / (1 - allowed))
