"""Questions: rows of benchmarks that ask for a number or for books, as problems with the question in our words."""

from collections.abc import Mapping
from typing import Any

from data.gsm8k import NUMBER_MARK, is_gsm8k, number_question, reference_number
from data.kitab import query_from_row
from data.problems import Problem
from rewards.errors import InputError


def number_problem(row: Mapping[str, Any], location: str) -> Problem:
    """Return a GSM8K row (`question, answer`), whose reference is the number behind the mark.

    Raises InputError for a row of another form.
    """
    if not is_gsm8k(row):
        raise InputError(f"expected GSM8K's columns: a text 'question', and an 'answer' that ends in {NUMBER_MARK} N")
    return Problem(
        problem_id=location,
        messages=({"role": "user", "content": number_question(row)},),
        reference=reference_number(row),
        task="gsm8k",
    )


def book_problem(row: Mapping[str, Any], location: str) -> Problem:
    """Return a KITAB row as the question without context (arXiv 2310.15511); its extras hold the row.

    Raises InputError for a row that is no query.
    """
    query = query_from_row(row)
    born = f" (born in {row['Birth Year']})" if row.get("Birth Year") else ""
    asked = (
        f"List all books by the author {query.author}{born} that satisfy this condition: {query.constraint}.\n"
        "Number the books. Of each give first, in a few words, the reason why it satisfies the condition, then its "
        "title, on one line:\n1. Reason: ... Title: ..."
    )
    kind = str(row.get("constraint_type") or row.get("constraint types") or "all")
    return Problem(
        problem_id=str(row.get("problem_id") or location),
        messages=({"role": "user", "content": asked},),
        task="kitab",
        extras={"row": dict(row), "constraint_type": kind},
    )
