"""Whether a text is more than the prompt said back."""

from rewards.text import WORD


def not_echo(completion: str, *, prompt: str, size: int = 4, allowed: float = 0.3) -> float:
    """1 while at most `allowed` of the runs of `size` words stand in the prompt too; falls to 0 when all do.

    A shorter text is one run. Leave this guard out where the prompt asks to be repeated.
    """
    words = _words(completion)
    size = min(size, len(words))
    given = set(_runs(_words(prompt), size))
    runs = _runs(words, size)
    copied = sum(run in given for run in runs) / len(runs)
    return min(1.0, (1 - copied) / (1 - allowed))


def _words(text: str) -> list[str]:
    return [match[0].lower() for match in WORD.finditer(text)]


def _runs(words: list[str], size: int) -> list[tuple[str, ...]]:
    return [tuple(words[at : at + size]) for at in range(len(words) - size + 1)]
