"""Witness: a text that satisfies several constraints at once, which proves that they are compatible."""

from collections.abc import Iterator, Sequence
from types import MappingProxyType

from data.problems import Constraint
from data.witness import content, form
from data.witness.draft import Draft, filler
from data.witness.writing import write
from rewards.text import word_spans
from rewards.verifiers import verify

STEPS = MappingProxyType(
    {**form.LIMITS, **content.LIMITS, **content.STEPS, **form.STEPS, **form.FRAMES, **content.FRAMES}
)
"""Verifier id -> what it adds to a draft, in the order in which a draft is filled."""

SLOW = ("language:", "change_case:")
"""Verifiers that detect the language; they are slow, so they run last."""

_ORDER = {kind: position for position, kind in enumerate(STEPS)}


def witness(constraints: Sequence[Constraint], *, prompt: str = "") -> str | None:
    """Return a text that no verifier rejects, or None if none was found (which proves nothing)."""
    if any(kind not in STEPS for kind, _ in constraints):
        return None
    draft = Draft()
    for kind, kwargs in sorted(constraints, key=lambda constraint: _ORDER[constraint[0]]):
        STEPS[kind](draft, kwargs)
    if next(filler(draft), None) is None:
        return None
    constraints = sorted(constraints, key=lambda constraint: constraint[0].startswith(SLOW))
    texts = (write(draft, num_sentences=sentences, num_filler=words) for sentences, words in _sizes(draft))
    return next((text for text in texts if _satisfies_all(text, constraints, prompt)), None)


def _satisfies_all(text: str, constraints: Sequence[Constraint], prompt: str) -> bool:
    return all(verify(kind, text, prompt=prompt, **kwargs).satisfied is not False for kind, kwargs in constraints)


def _sizes(draft: Draft) -> Iterator[tuple[int, int]]:
    """Yield numbers of sentences and filler words to try, those of a natural sentence first."""
    low, high = draft.sentences
    natural = range(low, (low + 3 if high is None else high) + 1)
    fewer = range(max(low - 6, 0), low)  # where other parts count as sentences, too
    for sentences in (*natural, *fewer):
        yield from ((sentences, words) for words in dict.fromkeys(_filler_counts(draft, sentences)) if words >= 0)


def _filler_counts(draft: Draft, sentences: int) -> Iterator[int]:
    least, most = draft.num_words
    bare = write(draft, num_sentences=sentences, num_filler=0)
    fixed = len(word_spans(bare))
    lowest = max(least - fixed, 0)
    highest = lowest + 8 * sentences if most is None else most - fixed
    yield from (max(lowest, min(6 * sentences, highest)), lowest, (lowest + highest) // 2, highest)
    yield from (max(bound, 0) * sentences for bound in draft.sentence_words if bound is not None)
    yield from ((bound - len(bare)) // 5 for bound in draft.characters if bound)
