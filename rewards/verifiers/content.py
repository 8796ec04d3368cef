"""Content verifiers: pieces of text with a fixed shape, such as placeholders, postscripts, numbers and dates."""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Literal

from rewards.count_verdicts import Relation, count_verdict, forbidden_verdict, required_verdict
from rewards.text import character_spans, enclosed_spans
from rewards.verdict import Span, Verdict
from rewards.verifier_args import Character, Count, Phrase

POSTSCRIPTS = {"P.P.S": r"p\.\s?p\.\s?s", "P.S.": r"p\.\s?s\."}
NUMBER = re.compile(r"(?<![\w.,])[-+\u2212]?\d+(?:[.,]\d+)*(?![\w]|[.,]\d)")
LINK = re.compile(r"https?://[^\s<>\"')\]]+")
EMOJI = re.compile(
    "[\U0001f1e6-\U0001f1ff]{2}|[\u2600-\u27bf\U0001f300-\U0001faff][\ufe0f\U0001f3fb-\U0001f3ff]*"
    "(?:\u200d[\u2600-\u27bf\U0001f300-\U0001faff][\ufe0f\U0001f3fb-\U0001f3ff]*)*"
)
"""A flag, or a picture with its skin tones and the pictures joined to it."""

DateStyle = Literal["YYYY-MM-DD", "DD.MM.YYYY", "MM/DD/YYYY", "Month D, YYYY", "D Month YYYY"]
MONTH = "January|February|March|April|May|June|July|August|September|October|November|December"
DATES: dict[str, tuple[str, str]] = {
    "YYYY-MM-DD": (r"\d{4}-\d{2}-\d{2}", "%Y-%m-%d"),
    "DD.MM.YYYY": (r"\d{2}\.\d{2}\.\d{4}", "%d.%m.%Y"),
    "MM/DD/YYYY": (r"\d{2}/\d{2}/\d{4}", "%m/%d/%Y"),
    "Month D, YYYY": (rf"(?:{MONTH}) \d{{1,2}}, \d{{4}}", "%B %d, %Y"),
    "D Month YYYY": (rf"\d{{1,2}} (?:{MONTH}) \d{{4}}", "%d %B %Y"),
}


def number_placeholders(completion: str, *, num_placeholders: Count) -> Verdict:
    """Check for a minimum number of placeholders in square brackets. Margin in placeholders. (IFEval)"""
    return count_verdict(enclosed_spans(completion, "[", "]"), num_placeholders, "at least")


def postscript(completion: str, *, postscript_marker: Phrase) -> Verdict:
    """Check for a postscript that begins with the marker, letter case ignored. Margin 0 or -1. (IFEval)"""
    marker = postscript_marker.strip()
    pattern = POSTSCRIPTS.get(marker, re.escape(marker))
    match = re.search(rf"(?:{pattern})[^\n]*", completion, re.IGNORECASE)
    return required_verdict([match.span() if match else None])


def numbers(completion: str, *, num_numbers: Count, relation: Relation) -> Verdict:
    """Check the number of numbers in digits, such as 7, -1.5 or 1,000. Margin in numbers."""
    return count_verdict([match.span() for match in NUMBER.finditer(completion)], num_numbers, relation)


def no_digits(completion: str) -> Verdict:
    """Check that no digit occurs. Margin: minus the digits."""
    return forbidden_verdict(character_spans(completion, str.isdigit))


def dates(completion: str, *, style: DateStyle, num_dates: Count, relation: Relation) -> Verdict:
    """Check the number of valid calendar dates in this style. Margin in dates."""
    return count_verdict(list(_dates(completion, style)), num_dates, relation)


def links(completion: str, *, num_links: Count, relation: Relation) -> Verdict:
    """Check the number of web addresses that start with http:// or https://. Margin in addresses."""
    return count_verdict([match.span() for match in LINK.finditer(completion)], num_links, relation)


def emojis(completion: str, *, num_emojis: Count, relation: Relation) -> Verdict:
    """Check the number of emojis; joined ones count once. Margin in emojis."""
    return count_verdict([match.span() for match in EMOJI.finditer(completion)], num_emojis, relation)


def exclude_letter(completion: str, *, letter: Character) -> Verdict:
    """Check that the letter does not occur, letter case ignored (a lipogram). Margin: minus its occurrences."""
    cases = (letter.lower(), letter.upper())
    return forbidden_verdict(character_spans(completion, lambda character: character in cases))


def ascii_only(completion: str) -> Verdict:
    """Check that every character is ASCII. Margin: minus the others."""
    return forbidden_verdict(character_spans(completion, lambda character: not character.isascii()))


def _dates(text: str, style: DateStyle) -> Iterator[Span]:
    pattern, form = DATES[style]
    for match in re.finditer(rf"(?<![\w./-])(?:{pattern})(?![\w/-]|\.\d)", text, re.ASCII):
        try:
            datetime.strptime(match[0], form)
        except ValueError:  # the right shape, but not a day of the calendar
            continue
        yield match.span()


VERIFIERS = {
    "content:ascii_only": ascii_only,
    "content:dates": dates,
    "content:emojis": emojis,
    "content:exclude_letter": exclude_letter,
    "content:links": links,
    "content:no_digits": no_digits,
    "content:numbers": numbers,
    "detectable_content:number_placeholders": number_placeholders,
    "detectable_content:postscript": postscript,
}
