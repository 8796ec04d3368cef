"""Length texts: reads MulDimIF's texts about numbers of words, sentences and paragraphs."""

import re
from collections.abc import Callable
from functools import partial

from data.muldimif.amounts import Amount, bound, find_amount
from data.muldimif.reading import Reading, unread

_WITHIN_PART = {
    ("word", "sentence"): "length:words_per_sentence",
    ("word", "paragraph"): "length:words_per_paragraph",
    ("word", "heading"): "length:words_per_heading",
    ("word", "item"): "length:words_per_item",
    ("word", "cell"): "length:words_per_cell",
    ("word", "entry in the table"): "length:words_per_cell",
    ("sentence", "paragraph"): "length:sentences_per_paragraph",
}
_ONE_PART = re.compile(
    r"\b(?:the|a) (?:introduction|(?:introductory|opening|closing|first|last|final) \w+|title|headline|heading|abstract"
    r"|caption|conclusion|(?:\w+ )?slide|paragraph|table|cell|entry|row|section)"
    r" (?:must|should|is|has|may|can|will|to|contains?|does|consists?|be)\b",
    re.IGNORECASE,
)
NOUNS = ("word", "sentence", "paragraph")
_BOUND = re.compile(
    r"\b(?:at least|at most|no more than|no fewer than|exceed|maximum|minimum|between)\b", re.IGNORECASE
)
_EACH_PART = re.compile(r"\b(?:each|every)(?: of the| the| main)? (?!word)((?:\w+(?:'s)? ?){1,4})", re.IGNORECASE)


def read_length(noun: str) -> Callable[[str], Reading]:
    """Return a reader of texts about the number of this noun."""

    return partial(_read, noun)


def other_lengths(text: str, noun: str | None = None) -> Reading:
    """Read the numbers of all nouns but this one that a text bounds beside what it is labelled with."""
    nouns = (other for other in NOUNS if other != noun)
    readings = [reading for other in nouns if _BOUND.search(text) and (reading := _read(other, text)).rules]
    rules = tuple(rule for reading in readings for rule in reading.rules)
    return Reading(rules=rules, weaker=any(reading.weaker for reading in readings))


def _read(noun: str, text: str) -> Reading:
    amount = find_amount(text, f"{noun}s?(?: in length| long)?")
    if amount is None:
        return unread(f"no number of {noun}s")
    match = re.search(rf"\b{noun}s?\b", text, re.IGNORECASE)
    part = _part_before(text, match.start() if match else 0)
    if _ONE_PART.search(text) and part is None:
        return _length_at_least(noun, amount) or unread(f"{noun}s of one part of the answer")
    return _length(noun, amount) if part is None else _length_of_part(noun, part, amount)


def _length(noun: str, amount: Amount) -> Reading:
    low, high = amount
    if high is not None and (noun in ("paragraph", "character") or low):
        return Reading(rules=((f"length:{noun}_range", {"minimum": low, "maximum": high}),))
    if noun in ("paragraph", "character"):
        return Reading(rules=((f"length:{noun}_range", {"minimum": low, "maximum": 10**6}),))
    return Reading(rules=((f"length_constraints:number_{noun}s", bound(f"num_{noun}s", amount)),))


def _length_of_part(noun: str, part: str, amount: Amount) -> Reading:
    kind = next((kind for (what, name), kind in _WITHIN_PART.items() if what == noun and name in part), None)
    low, high = amount
    if kind is not None and not (low and high is not None and low != high):
        return Reading(rules=((kind, bound(f"num_{noun}s", amount)),))
    return _length_at_least(noun, amount) or unread(f"a limit on the {noun}s of each {part.split()[0]}")


def _length_at_least(noun: str, amount: Amount) -> Reading | None:
    """Return the minimum that the whole answer has if a part of it must have it, or None without a minimum."""
    return Reading(rules=_length(noun, (amount[0], None)).rules, weaker=True) if amount[0] else None


def _part_before(text: str, end: int) -> str | None:
    """Return the noun after the last `each` before a position of the text.

    It names the part that the rule is about; None if the rule is about the whole answer.
    """
    parts = _EACH_PART.findall(text[:end])
    return parts[-1].strip().lower() if parts else None
