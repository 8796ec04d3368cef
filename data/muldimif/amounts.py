"""Amounts: how many of something a sentence requires, read from plain English."""

import re
from typing import Any

_COUNTING = """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
seventeen eighteen nineteen twenty"""
NUMBER_WORDS = {word: number for number, word in enumerate(_COUNTING.split())} | {
    "a single": 1,
    "only one": 1,
    "thirty": 30,
    "fifty": 50,
    "hundred": 100,
}

Amount = tuple[int, int | None]
"""The smallest and largest number allowed; None = no upper bound."""

NUMBER = rf"(\d[\d,]*|{'|'.join(sorted(map(re.escape, NUMBER_WORDS), key=len, reverse=True))})"
_BOTH = rf"(?:between |from |range of |in )?{NUMBER}\s*(?:to|and|-|\u2013|or)\s*{NUMBER}"
_LEAST = rf"(?:at least|at minimum|(?:a )?minimum (?:\w+ )?of|no fewer than|no less than|not less than):? {NUMBER}"
_MORE = rf"(?<!no )(?<!not )more than {NUMBER}"
_MOST = (
    r"(?:at most|at maximum|no more than|not (?:\w+ )?more than|a maximum of|maximum of|maximum length of|up to"
    r"|no longer than|limit of|limited to|limit(?:ing)? (?:\w+ ){1,3}?to|within"
    rf"|exceed(?:ing)?):? (?:a (?:total|maximum|limit|length) of |(?:at most|no more than|only) )?{NUMBER}"
)
_FEWER = rf"(?:fewer than|less than|under|below) {NUMBER}"
_EXACT = rf"(?:exactly|precisely|just|total of)? ?{NUMBER}"

_BETWEEN = r"(?: (?!(?:and|or|rows?|words?|columns?|sentences?)\b)[a-z'-]+){0,3}?"
"""Words between a number and what it counts, none of which can itself be counted."""

FORMS = (
    (_BOTH, lambda low, high: (low, high)),
    (_LEAST, lambda number: (number, None)),
    (_MOST, lambda number: (0, number)),
    (_MORE, lambda number: (number + 1, None)),
    (_FEWER, lambda number: (0, number - 1)),
    (_EXACT, lambda number: (number, number)),
)


def parse_number(text: str) -> int:
    """Return the value of a number in digits or in words up to twenty."""
    plain = text.lower().replace(",", "")
    return int(plain) if plain.isdigit() else NUMBER_WORDS[plain]


def find_amount(text: str, noun: str) -> Amount | None:
    """Return how many of `noun` (a regular expression) the text requires; None without a number before the noun.

    Up to three words may stand between number and noun, as in `two complete sentences`. The first form that fits
    counts, and the most explicit forms come first.
    """
    for form, value in FORMS:
        match = re.search(rf"\b{form}{_BETWEEN} (?:{noun})\b", text, re.IGNORECASE)
        if match:
            return value(*(parse_number(number) for number in match.groups() if number))
    return None


def bound(key: str, amount: Amount) -> dict[str, Any]:
    """Return an amount with one end, or with two equal ones, as the arguments of a counting verifier."""
    low, high = amount
    if high is None:
        return {key: low, "relation": "at least"}
    return {key: high, "relation": "exactly" if low == high else "at most"}
