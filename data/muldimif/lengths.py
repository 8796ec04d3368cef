"""Length texts: reads MulDimIF's texts about numbers of words, sentences and paragraphs."""

import re
from collections.abc import Callable

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
    r"\b(?:the|a) (?:introduction|introductory \w+|title|headline|heading|conclusion|(?:\w+ )?slide|paragraph"
    r"|table|cell|entry|row|section) (?:must|should|is|has|may|can)\b",
    re.IGNORECASE,
)
_EACH_PART = re.compile(r"\b(?:each|every)(?: of the| the| main)? (?!word)((?:\w+(?:'s)? ?){1,4})", re.IGNORECASE)


def read_length(noun: str) -> Callable[[str], Reading]:
    """Return a reader of texts about the number of this noun."""

    def read(text: str) -> Reading:
        amount = find_amount(text, f"{noun}s?(?: in length| long)?")
        if amount is None:
            return unread(f"no number of {noun}s")
        match = re.search(rf"\b{noun}s?\b", text, re.IGNORECASE)
        part = _part_before(text, match.start() if match else 0)
        if _ONE_PART.search(text) and part is None:
            return unread(f"{noun}s of one part of the answer")
        return _length(noun, amount) if part is None else _length_of_part(noun, part, amount)

    return read


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
    if low:  # if each part has a minimum, the whole answer has it, too
        return Reading(rules=_length(noun, (low, None)).rules, weaker=True)
    return unread(f"a limit on the {noun}s of each {part.split()[0]}")


def _part_before(text: str, end: int) -> str | None:
    """Return the noun after the last `each` before a position of the text.

    It names the part that the rule is about; None if the rule is about the whole answer.
    """
    parts = _EACH_PART.findall(text[:end])
    return parts[-1].strip().lower() if parts else None
