"""Witness: a text that keeps several constraints at once, which proves that they can be kept together."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rewards.text import word_spans
from rewards.verifiers import verify

from data.drafts import Draft, filler, write
from data.pieces import PIECES

Arguments = Mapping[str, Any]


def witness(constraints: Sequence[tuple[str, Arguments]], *, prompt: str = "") -> str | None:
    """A text that every verifier accepts, or None if none was found (which proves nothing)."""
    if any(kind not in PIECES for kind, _ in constraints):
        return None
    draft = Draft()
    order = list(PIECES)
    for kind, kwargs in sorted(constraints, key=lambda constraint: order.index(constraint[0])):
        PIECES[kind](draft, kwargs)
    if next(filler(draft), None) is None:
        return None
    texts = (write(draft, num_sentences=sentences, num_filler=words) for sentences, words in _sizes(draft))
    return next((text for text in texts if _keeps_all(text, constraints, prompt)), None)


def _keeps_all(text: str, constraints: Sequence[tuple[str, Arguments]], prompt: str) -> bool:
    return all(verify(kind, text, prompt=prompt, **kwargs).satisfied is not False for kind, kwargs in constraints)


def _sizes(draft: Draft) -> Iterator[tuple[int, int]]:
    """Numbers of sentences and filler words worth a try, those of a natural sentence first."""
    low, high = draft.sentences
    least, most = draft.num_words
    wanted = range(low, (low + 3 if high is None else high) + 1)
    for sentences in (*wanted, *range(max(low - 6, 0), low)):  # fewer of our own where other parts count as sentences
        fixed = len(word_spans(write(draft, num_sentences=sentences, num_filler=0)))
        lowest = max(least - fixed, 0)
        highest = lowest + 8 * sentences if most is None else most - fixed
        for words in dict.fromkeys((max(lowest, min(6 * sentences, highest)), lowest, (lowest + highest) // 2, highest)):
            if words >= 0:
                yield sentences, words
