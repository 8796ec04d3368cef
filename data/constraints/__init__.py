"""Constraint kinds: every kind that a prompt can be given, by category."""

from difflib import get_close_matches
from types import MappingProxyType
from typing import get_args

from data.constraints import content, edges, format, language, length, marks, structured, words
from data.constraints.taxonomy import Category, ConstraintKind
from rewards.errors import InputError

KINDS = MappingProxyType(
    {
        kind.id: kind
        for table in (words, edges, marks, content, format, structured, language, length)
        for kind in table.KINDS
    }
)
"""Verifier id -> the kind that can be drawn and put into words."""

SHORT_KINDS = tuple(kind.id for kind in KINDS.values() if kind.short)
"""Kinds that suit a small model with about thirty words to answer; the quickstart draws from these."""

GENERAL_KINDS = tuple(kind.id for kind in KINDS.values() if not kind.about_prompt)
"""Kinds that any prompt can be given; levels are drawn from these."""

CATEGORIES: tuple[Category, ...] = get_args(Category)

__all__ = ["CATEGORIES", "GENERAL_KINDS", "KINDS", "SHORT_KINDS", "Category", "ConstraintKind", "find_kind"]


def find_kind(kind_id: str) -> ConstraintKind:
    """Return the kind of a verifier id; InputError with the nearest id if it cannot be drawn."""
    if kind_id not in KINDS:
        nearest = get_close_matches(kind_id, KINDS, n=1, cutoff=0.0)[0]
        raise InputError(f"unknown constraint kind {kind_id!r}; the nearest is {nearest!r}")
    return KINDS[kind_id]
