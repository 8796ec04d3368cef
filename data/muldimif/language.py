"""Language texts: reads MulDimIF's texts about letter case and Chinese."""

import re

from data.muldimif.reading import Reading, unread
from data.problems import Constraint

_PARTS = re.compile(
    r"\b(?:names|[\w']+'s name|name of|each name|player names|drink name|titles|(?:section|'s|each) titles?|title:"
    r"|headings?|entries|each term|keywords?|option|keys|teams|examples|expressions?|lines|references"
    r"|epistemology word|table|countries|magazines|descriptions)\b",
    re.IGNORECASE,
)
_TERMS_WITH_TEXT = re.compile(
    r"\b(?:names|expression)\b[^,]*\band (?:\w+ ){0,2}(?:explanation|facts|descriptions)\b", re.IGNORECASE
)
"""Names together with their explanations, which make up the whole answer."""
_CAPITALS = re.compile(r"upper ?case|(?:in|all|only) capital letters", re.IGNORECASE)
_LOWERCASE = re.compile(r"lower ?case", re.IGNORECASE)
_TITLE_CASE = re.compile(
    r"capitali[sz]ed|capitali[sz]e (?:the first letter of )?each word|capital letters? (?:for|in|at) "
    r"|(?:start|begin)\w* with an? (?:capital|uppercase)|initial letter",
    re.IGNORECASE,
)
_PURPOSE = re.compile(
    r",? (?:as this|as per|to present|to reflect|to maintain|to ensure|to meet|ensuring that the language)\b"
)


def read_english(text: str) -> Reading:
    """Read capitals everywhere, nowhere, or at the start of each word, for the whole answer."""
    if _TITLE_CASE.search(text):
        rules: tuple[Constraint, ...] = (("change_case:title_case", {}),)
    elif _CAPITALS.search(text):
        rules = (("change_case:english_capital", {}),)
    elif _LOWERCASE.search(text):
        rules = (("change_case:english_lowercase", {}),)
    else:
        return unread("no letter case is named")
    demand = re.split(_PURPOSE, text)[0]
    if _PARTS.search(demand) and not _TERMS_WITH_TEXT.search(demand):
        return _read_part(demand)
    if rules[0][0] == "change_case:title_case" and re.search(r"\b(?:in|is|be|used) English\b", text):
        rules += (("language:response_language", {"language": "en"}),)
    return Reading(rules=rules)


def _read_part(text: str) -> Reading:
    """Read the letter case of the parts that a verifier can find: headings or table cells."""
    if re.search(r"\bheadings?\b|\bsection titles?\b", text, re.IGNORECASE):
        return Reading(rules=(("change_case:heading_title_case", {}),))
    if re.search(r"\btable\b", text, re.IGNORECASE):
        return Reading(rules=(("change_case:table_title_case", {}),))
    return unread("the letter case of a part of the answer")


def read_chinese(text: str) -> Reading:
    """Read simplified or traditional characters."""
    if re.search(r"simplified|简体", text, re.IGNORECASE):
        return Reading(rules=(("language:simplified_chinese", {}),))
    if re.search(r"traditional|繁體", text, re.IGNORECASE):
        return Reading(rules=(("language:traditional_chinese", {}),))
    return unread("neither simplified nor traditional Chinese")
