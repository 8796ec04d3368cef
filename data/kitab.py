"""KITAB: an answer to a book query, judged title by title (arXiv 2310.15511, section 3)."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from rapidfuzz.distance import Levenshtein

from data.problems import Span
from rewards.errors import InputError

Finding = Literal["satisfied", "unsatisfied", "irrelevant"]

SIMILAR = 0.8
"""Least Levenshtein similarity at which two titles are the same book."""

NAMED_TITLE = re.compile(r"\bTitle:[^\S\n]*(\S[^\n]*)")
LISTED_TITLE = re.compile(r"^[^\S\n]*\d+[.)][^\S\n]+(\S[^\n]*)", re.MULTILINE)
"""An answer that says `Title:` is read by that word, as KITAB asks for it; any other as a numbered list of titles."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BookQuery:
    """All books of an author, and which of them satisfy the query.

    Example:
        BookQuery(author="Jane Austen", constraint="title starts with E", books=("Emma", "Persuasion"),
                  satisfying=("Emma",))
    """

    author: str
    constraint: str
    books: tuple[str, ...]
    """Every title of the author, the satisfying ones included."""
    satisfying: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Item:
    """One title of an answer: where it stands, and which book it is."""

    span: Span
    finding: Finding
    book: str | None
    """The author's title it matches; None if irrelevant."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BookReport:
    """What an answer is worth. The three shares add up to 1 unless the answer lists nothing; then all are 0."""

    items: tuple[Item, ...]
    satisfied: float
    unsatisfied: float
    irrelevant: float
    completeness: float
    """Share of the satisfying books that the answer names; 1 if there are none."""
    all_correct: bool
    """Everything named satisfies the query, and everything that satisfies it is named."""


def same_title(first: str, second: str) -> bool:
    """Whether one title contains the other or they are at least 80 % alike, letter case and outer marks ignored."""
    one, other = _plain(first), _plain(second)
    if not one or not other:
        return False
    return one in other or other in one or Levenshtein.normalized_similarity(one, other) >= SIMILAR


def judge_books(answer: str, query: BookQuery) -> BookReport:
    """The report on an answer; titles of the same book count once, at their first place."""
    items: dict[str, Item] = {}
    pattern = NAMED_TITLE if NAMED_TITLE.search(answer) else LISTED_TITLE
    for match in pattern.finditer(answer):
        item = _item(match[1], match.span(1), query)
        items.setdefault(item.book or _plain(match[1]), item)
    found = tuple(items.values())
    shares = {finding: _share(found, finding) for finding in ("satisfied", "unsatisfied", "irrelevant")}
    named = {item.book for item in found}
    completeness = sum(book in named for book in query.satisfying) / len(query.satisfying) if query.satisfying else 1.0
    all_correct = completeness == 1 and all(item.finding == "satisfied" for item in found)
    return BookReport(items=found, **shares, completeness=completeness, all_correct=all_correct)


def query_from_row(row: Mapping[str, Any]) -> BookQuery:
    """A query from KITAB's columns `Author, constraints, all_books, mapped_books` (lists of titles).

    Raises InputError naming the missing column, or a satisfying book that is none of the author's.
    """
    missing = [name for name in ("Author", "constraints", "all_books", "mapped_books") if row.get(name) is None]
    if missing:
        raise InputError(f"expected KITAB columns Author, constraints, all_books, mapped_books; missing {missing}")
    books, satisfying = tuple(row["all_books"]), tuple(row["mapped_books"])
    strange = [title for title in satisfying if title not in books]
    if strange:
        raise InputError(f"mapped_books must be among all_books; {strange} are not")
    return BookQuery(author=row["Author"], constraint=row["constraints"], books=books, satisfying=satisfying)


def _item(title: str, span: Span, query: BookQuery) -> Item:
    for book in sorted(query.books, key=lambda book: _likeness(title, book), reverse=True):
        if same_title(title, book):
            finding = "satisfied" if book in query.satisfying else "unsatisfied"
            return Item(span=span, finding=finding, book=book)
    return Item(span=span, finding="irrelevant", book=None)


def _likeness(first: str, second: str) -> float:
    return Levenshtein.normalized_similarity(_plain(first), _plain(second))


def _share(items: Sequence[Item], finding: str) -> float:
    return sum(item.finding == finding for item in items) / len(items) if items else 0.0


def _plain(title: str) -> str:
    return title.strip(" \t\"'*_.,“”").lower()
