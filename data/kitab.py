"""KITAB: evaluates an answer to a book query title by title (arXiv 2310.15511, section 3)."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from rapidfuzz.distance import Levenshtein

from rewards.errors import InputError
from rewards.verdict import Span

TitleStatus = Literal["satisfied", "unsatisfied", "irrelevant"]

MIN_SIMILARITY = 0.8
"""Least Levenshtein similarity at which two titles count as the same book."""

NAMED_TITLE = re.compile(r"\bTitle:[^\S\n]*(\S[^\n]*)")
LISTED_TITLE = re.compile(r"^[^\S\n]*\d+[.)][^\S\n]+(\S[^\n]*)", re.MULTILINE)
"""An answer with `Title:` is read by that word, as KITAB requires it; any other as a numbered list of titles."""


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
class ListedTitle:
    """One title in an answer: its span, and which book it is."""

    span: Span
    status: TitleStatus
    book: str | None
    """The author's title it matches; None if irrelevant."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BookReport:
    """The evaluation of one answer. The three shares sum to 1 unless the answer lists nothing; then all are 0."""

    items: tuple[ListedTitle, ...]
    satisfied: float
    unsatisfied: float
    irrelevant: float
    completeness: float
    """Share of the satisfying books that the answer names; 1 if there are none."""
    all_correct: bool
    """Whether the answer names all satisfying books and no others."""


def same_title(first: str, second: str) -> bool:
    """Return whether one title contains the other or they have a similarity of at least 80 %.

    Letter case and marks at the ends are ignored.
    """
    one, other = _normalized(first), _normalized(second)
    if not one or not other:
        return False
    return one in other or other in one or Levenshtein.normalized_similarity(one, other) >= MIN_SIMILARITY


def evaluate_books(answer: str, query: BookQuery) -> BookReport:
    """Evaluate an answer; a book that is listed more than once counts once, at its first position."""
    items: dict[str, ListedTitle] = {}
    pattern = NAMED_TITLE if NAMED_TITLE.search(answer) else LISTED_TITLE
    for match in pattern.finditer(answer):
        item = _item(match[1], match.span(1), query)
        items.setdefault(item.book or _normalized(match[1]), item)
    titles = tuple(items.values())
    shares = {status: _share(titles, status) for status in ("satisfied", "unsatisfied", "irrelevant")}
    listed = {item.book for item in titles}
    completeness = sum(book in listed for book in query.satisfying) / len(query.satisfying) if query.satisfying else 1.0
    all_correct = completeness == 1 and all(item.status == "satisfied" for item in titles)
    return BookReport(items=titles, **shares, completeness=completeness, all_correct=all_correct)


def query_from_row(row: Mapping[str, Any]) -> BookQuery:
    """Return a query from KITAB's columns `Author, constraints, all_books, mapped_books` (lists of titles).

    Raises InputError naming the missing column, or a satisfying book that is not one of the author's.
    """
    missing = [name for name in ("Author", "constraints", "all_books", "mapped_books") if row.get(name) is None]
    if missing:
        raise InputError(f"expected KITAB columns Author, constraints, all_books, mapped_books; missing {missing}")
    books, satisfying = tuple(row["all_books"]), tuple(row["mapped_books"])
    unknown = [title for title in satisfying if title not in books]
    if unknown:
        raise InputError(f"mapped_books must be among all_books; {unknown} are not")
    return BookQuery(author=row["Author"], constraint=row["constraints"], books=books, satisfying=satisfying)


def _item(title: str, span: Span, query: BookQuery) -> ListedTitle:
    for book in sorted(query.books, key=lambda book: _similarity(title, book), reverse=True):
        if same_title(title, book):
            status = "satisfied" if book in query.satisfying else "unsatisfied"
            return ListedTitle(span=span, status=status, book=book)
    return ListedTitle(span=span, status="irrelevant", book=None)


def _similarity(first: str, second: str) -> float:
    return Levenshtein.normalized_similarity(_normalized(first), _normalized(second))


def _share(items: Sequence[ListedTitle], status: str) -> float:
    return sum(item.status == status for item in items) / len(items) if items else 0.0


def _normalized(title: str) -> str:
    return title.strip(" \t\"'*_.,“”").lower()
