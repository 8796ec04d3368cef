"""Reading: what one of MulDimIF's texts was found to ask for."""

import re
from dataclasses import dataclass
from typing import Any

Rule = tuple[str, dict[str, Any]]
"""Verifier id and arguments."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """What a text asks for: rules, or the reason why it could not be read.

    Example:
        Reading(rules=(("punctuation:sentence_mark", {"mark": "."}),))
    """

    rules: tuple[Rule, ...] = ()
    reason: str | None = None
    """Why there is no rule; None where there is one."""
    weaker: bool = False
    """The text says more than the rules: they are what follows from it for the whole answer."""


def unread(reason: str) -> Reading:
    """The reading of a text that gives no rule."""
    return Reading(reason=reason)


QUOTED = re.compile("(?:(?<!\\w)['\"\u2018\u201c]|\u300c)(.+?)(?:['\"\u2019\u201d](?!\\w)|\u300d)")
"""A piece in quotation marks; an apostrophe inside a word ends none."""

EACH = re.compile(r"\b(?:each|every)\b", re.IGNORECASE)
"""The text speaks of parts of the answer one by one."""
