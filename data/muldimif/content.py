"""Content texts: reads MulDimIF's texts about keywords, marks and identifiers."""

import re
from typing import Any

from data.muldimif.amounts import NUMBER, parse_number
from data.muldimif.reading import EACH, QUOTED, Reading, unread

_TIMES = re.compile(rf"\b(at least|at most|exactly)?\s*(?:(once|twice|thrice)|{NUMBER} times)\b", re.IGNORECASE)
_REQUIRED = re.compile(
    r"\b(?:includ|incorporat|contain|mention|us(?:e|ing)\b|featur|appear|highlight|address|have)", re.IGNORECASE
)
_FORBIDDEN = re.compile(
    r"\b(?:avoid|exclud|without|omit|not (?:be )?(?:includ|contain|mention|us)|must not|should not|never)",
    re.IGNORECASE,
)


def read_keywords(text: str) -> Reading:
    """Read keywords in quotation marks that must or must not occur, and how often."""
    if re.search(r"\btranscription of\b", text, re.IGNORECASE):
        return unread("something derived from the quoted word, not the word")
    required, forbidden = [], []
    for match in QUOTED.finditer(text):
        before = text[: match.start()]
        keyword = _unpunctuated(match[1], at_end=match.end() == len(text))
        (forbidden if _last(_FORBIDDEN, before) > _last(_REQUIRED, before) else required).append(keyword)
    if not required and not forbidden:
        return unread("no keyword in quotation marks")
    times = _TIMES.search(QUOTED.sub("", text))
    rules = [("keywords:forbidden_words", {"forbidden_words": forbidden})] if forbidden else []
    if required and times is None:
        rules.insert(0, ("keywords:existence", {"keywords": required}))
    elif required and times is not None:
        rules = [("keywords:frequency", {"keyword": keyword, **_times(times)}) for keyword in required] + rules
    return Reading(rules=tuple(rules), weaker=bool(EACH.search(text)))


def _unpunctuated(keyword: str, *, at_end: bool) -> str:
    """Return the keyword without the sentence's own mark that slipped inside the quotation marks.

    The mark of `Inc.` stays.
    """
    keyword = keyword.rstrip(",;")
    return keyword.rstrip(".") if at_end and not re.search(r"\b(?:Inc|Corp|Co|Ltd|[A-Z])\.$", keyword) else keyword


def _last(pattern: re.Pattern[str], text: str) -> int:
    return max((match.start() for match in pattern.finditer(text)), default=-1)


def _times(match: re.Match[str]) -> dict[str, Any]:
    words = {"once": 1, "twice": 2, "thrice": 3}
    frequency = words[match[2].lower()] if match[2] else parse_number(match[3])
    return {"frequency": frequency, "relation": (match[1] or "at least").lower()}


_MARKS = {
    "exclamation (?:mark|point)": "!",
    "question mark": "?",
    "period|full stop": ".",
    "semicolon": ";",
    "colon": ":",
    "comma": ",",
}


def read_punctuation(text: str) -> Reading:
    """Read the mark that ends the answer or its sentences, cells or questions, or that must not occur."""
    marks = [mark for name, mark in _MARKS.items() if re.search(rf"\b(?:{name})s?\b", text, re.IGNORECASE)]
    if len(marks) != 1:
        return unread("no mark is named" if not marks else "several marks are named")
    if _FORBIDDEN.search(text):
        return Reading(rules=(("content:exclude_mark", {"mark": marks[0]}),))
    if re.search(r"\b(?:each|every) sentence\b", text, re.IGNORECASE):
        return Reading(rules=(("punctuation:sentence_mark", {"mark": marks[0]}),))
    if re.search(r"\btable\b", text, re.IGNORECASE):
        return Reading(rules=(("punctuation:cell_mark", {"mark": marks[0]}),))
    if re.search(r"\b(?:each|every) question\b", text, re.IGNORECASE):
        return Reading(rules=(("punctuation:questions", {"num_questions": 1, "relation": "at least"}),), weaker=True)
    return Reading(rules=(("content:ends_with_mark", {"mark": marks[0]}),), weaker=bool(EACH.search(text)))


def read_identifier(text: str) -> Reading:
    """Read the quoted text that the answer starts or ends with."""
    quoted = QUOTED.findall(text)
    if len(quoted) != 1 or re.search(r"\b(?:each|every|letter)\b", text, re.IGNORECASE):
        return unread("an identifier of something other than the whole answer")
    if re.search(r"\b(?:start|begin)", text, re.IGNORECASE):
        return Reading(rules=(("content:starts_with", {"phrase": quoted[0]}),))
    return Reading(rules=(("content:ends_with", {"phrase": quoted[0]}),))
