"""Reading result: the constraints that one of MulDimIF's texts requires."""

import re
from dataclasses import dataclass

from data.problems import Constraint


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """The constraints that a text requires, or the reason why it cannot be read.

    Example:
        Reading(rules=(("punctuation:sentence_mark", {"mark": "."}),))
    """

    rules: tuple[Constraint, ...] = ()
    reason: str | None = None
    """Why there is no constraint; None where there is one."""
    weaker: bool = False
    """Whether the text requires more than the constraints, which follow from it for the whole answer."""


def unread(reason: str) -> Reading:
    """Return the reading of a text that gives no constraint."""
    return Reading(reason=reason)


QUOTED = re.compile("(?:(?<!\\w)['\"\u2018\u201c]|\u300c)(.+?)(?:['\"\u2019\u201d](?!\\w)|\u300d)")
"""A piece in quotation marks; an apostrophe inside a word does not end one."""

EACH = re.compile(r"\b(?:each|every)\b", re.IGNORECASE)
"""A word that makes the text a rule about parts of the answer one by one."""
