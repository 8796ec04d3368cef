"""Guards: rewards in [0, 1] that fall when a text collapses into what pays.

Constraints alone are hacked at once: answers shrink to the three words that satisfy them. A guard is 1 for any
ordinary text, so it costs an honest answer nothing.
"""

from collections.abc import Sequence

from rewards.guards.characters import plain_characters
from rewards.guards.echo import not_echo
from rewards.guards.filler import no_filler
from rewards.guards.fluency import fluent
from rewards.guards.length import length_floor, length_range
from rewards.guards.prose import prose
from rewards.guards.repetition import distinct_words, few_repetitions
from rewards.guards.topic import on_topic

__all__ = [
    "distinct_words",
    "few_repetitions",
    "fluent",
    "guarded",
    "length_floor",
    "length_range",
    "no_filler",
    "not_echo",
    "on_topic",
    "plain_characters",
    "prose",
]


def guarded(score: float, guards: Sequence[float]) -> float:
    """The score times its worst guard: no other virtue buys back what a guard takes."""
    return score * min(guards, default=1.0)
