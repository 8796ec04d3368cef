"""Guards: factors in [0, 1] that fall when a text collapses into whatever earns the reward.

Constraints alone are easy to exploit: answers shrink to the three words that satisfy them. A guard is 1 for any
ordinary text, so an honest answer loses nothing.
"""

from collections.abc import Sequence

from rewards.guards.characters import plain_characters
from rewards.guards.echo import not_echo
from rewards.guards.filler import no_filler
from rewards.guards.fluency import fluent
from rewards.guards.length import length_floor
from rewards.guards.prose import prose
from rewards.guards.repetition import distinct_words, few_repetitions
from rewards.guards.topic import on_topic

__all__ = [
    "apply_guards",
    "distinct_words",
    "few_repetitions",
    "fluent",
    "length_floor",
    "no_filler",
    "not_echo",
    "on_topic",
    "plain_characters",
    "prose",
]


def apply_guards(score: float, guards: Sequence[float]) -> float:
    """Multiply the score by its lowest guard: doing well on one guard cannot make up for failing another."""
    return score * min(guards, default=1.0)
