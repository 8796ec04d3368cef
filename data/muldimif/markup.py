"""Markup texts: reads MulDimIF's texts about Markdown, tables, JSON and XML."""

import re

from data.muldimif.amounts import NUMBER, Amount, bound, find_amount, parse_number
from data.muldimif.reading import EACH, QUOTED, Reading, unread
from data.problems import Constraint

_LEVEL = re.compile(rf"\blevels? {NUMBER}(?: and {NUMBER})?|\bh([1-6])\b|(?<![#\w])(#{{1,6}})(?!#)", re.IGNORECASE)
_SEVERAL_LEVELS = re.compile(
    r"\b(?:different|multiple|several|various) (?:levels of headings|(?:heading )?levels|heading levels)\b",
    re.IGNORECASE,
)
_OPTIONAL = re.compile(
    r"\b(?:if|any|should you|in case|when (?:incorporat|us|includ|creat)ing)\b[^.]*?\b(?:tables?|tabular|xml)\b"
    r"|\btables?,? if (?:used|included)|\bany columns",
    re.IGNORECASE,
)


def read_markdown(text: str) -> Reading:
    """Read headings with their levels, block quotes, bold text and lists."""
    rules = [rule for pattern, rule in _BLOCKS if re.search(pattern, text, re.IGNORECASE)]
    reading = _headings(text)
    if not rules and not reading.rules:
        return unread(reading.reason or "no Markdown element is named")
    return Reading(rules=(*rules, *reading.rules), weaker=reading.weaker)


_BLOCKS: tuple[tuple[str, Constraint], ...] = (
    (r"block ?quote", ("format:block_quotes", {"num_quotes": 1, "relation": "at least"})),
    (r"\bbold\b", ("format:bold", {"num_bold": 1, "relation": "at least"})),
    (r"bullet", ("format:bullet_items", {"num_items": 1, "relation": "at least"})),
    (r"numbered list", ("format:numbered_items", {"num_items": 1, "relation": "at least"})),
    (r"code block", ("format:code_fences", {"num_fences": 1, "relation": "at least"})),
)


def _headings(text: str) -> Reading:
    depth = find_amount(text, r"(?:sub)?(?:heading )?levels?(?: of headings?)?")
    levels = sorted({level for match in _LEVEL.finditer(text) for level in _levels(match)})
    weaker = bool(EACH.search(text) or QUOTED.search(text))
    if levels and depth is None and re.search(r"exceed|at most|no deeper|up to", text, re.IGNORECASE):
        return Reading(rules=(("format:heading_depth", bound("num_levels", (0, levels[-1]))),), weaker=True)
    only_examples = re.search(r"such as|like|for example", text, re.IGNORECASE) and depth is not None
    rules: list[Constraint] = []
    if depth is not None and depth not in ((1, 1), (1, None)):  # `one level 2 heading` counts headings, not levels
        rules.append(("format:heading_depth", bound("num_levels", depth)))
    if levels and not only_examples:
        rules.append(("format:heading_levels", {"levels": levels}))
    if rules:
        return Reading(rules=tuple(rules), weaker=weaker)
    if re.search(r"sub-?headings?", text, re.IGNORECASE) or _SEVERAL_LEVELS.search(text):
        return Reading(rules=(("format:heading_depth", bound("num_levels", (2, None))),), weaker=weaker)
    if re.search(r"\b(?:headings?|into sections)\b", text, re.IGNORECASE):
        amount = find_amount(text, r"headings?(?! levels?)") or (1, None)
        return Reading(rules=(("format:headings", bound("num_headings", amount)),), weaker=weaker)
    return unread("no heading is named")


def _levels(match: re.Match[str]) -> list[int]:
    if match[4]:
        return [len(match[4])]
    return [parse_number(number) for number in match.groups()[:3] if number and 1 <= parse_number(number) <= 6]


def read_table(text: str) -> Reading:
    """Read the number of rows and columns; a table that may be missing is bound only if there is one."""
    text = re.sub(rf"\b{NUMBER} rows? and {NUMBER} columns?", r"\1 rows and no more than \2 columns", text)
    amounts = {noun: _table_amount(text, noun) for noun in ("row", "column")}
    if _OPTIONAL.search(text):
        rules = tuple(
            (f"table:{noun}_limit", {"maximum": amount[1]})
            for noun, amount in amounts.items()
            if amount is not None and amount[1] is not None
        )
        exactly = any(amount is not None and amount[0] for amount in amounts.values())
        return Reading(rules=rules, weaker=exactly) if rules else unread("a table that may be missing, without a limit")
    if not re.search(r"\b(?:tables?|tabular|columns?)\b", text, re.IGNORECASE):
        return _read_list(text)
    rules = tuple(rule for noun, amount in amounts.items() if amount is not None for rule in _table_rules(noun, amount))
    rules = rules or _entry_rules(text)
    return Reading(rules=rules, weaker=bool(QUOTED.search(text)))


def _entry_rules(text: str) -> tuple[Constraint, ...]:
    """Read a limit on what a table lists, such as five countries, as a limit on its rows; a table there must be."""
    amount = find_amount(text, "[a-z]+")
    limit = amount if amount is not None and not amount[0] and not EACH.search(text) else (1, None)
    return (("table:num_rows", bound("num_rows", limit)),)


def _read_list(text: str) -> Reading:
    """Read a limit on the entries of a list that is called a table: no list in the answer has more items."""
    amount = find_amount(text, "[a-z]+")
    if amount is None or amount[1] is None or amount[0] or EACH.search(text):
        return unread("rows or items of something that is no table")
    kinds = ("format:bullet_items", "format:numbered_items")
    return Reading(rules=tuple((kind, bound("num_items", amount)) for kind in kinds), weaker=True)


def _table_amount(text: str, noun: str) -> Amount | None:
    limit = re.search(rf"\b{noun}[ -]limit(?: of|:| is)? {NUMBER}", text, re.IGNORECASE)
    amount = (0, parse_number(limit[1])) if limit else find_amount(text, rf"{noun}s?")
    counts_header = noun == "row" and re.search(r"\bincluding (?:the )?headers?\b", text, re.IGNORECASE)
    return _without_header(amount) if amount and counts_header else amount


def _without_header(amount: Amount) -> Amount:
    """Return the number of rows below the header, which our verifiers count alone."""
    low, high = amount
    return max(0, low - 1), None if high is None else max(0, high - 1)


def _table_rules(noun: str, amount: Amount) -> list[Constraint]:
    low, high = amount
    if low and high is not None and low != high:
        return [(f"table:num_{noun}s", bound(f"num_{noun}s", end)) for end in ((low, None), (0, high))]
    return [(f"table:num_{noun}s", bound(f"num_{noun}s", amount))]


def read_json(text: str) -> Reading:
    """Read how deeply objects are nested."""
    depth = find_amount(text, r"(?:levels?|nesting)") or _depth_after(text)
    return unread("no nesting depth") if depth is None else Reading(rules=(("json:nesting", bound("depth", depth)),))


def _depth_after(text: str) -> Amount | None:
    """Read `nesting levels must not exceed 3` or `a nesting level of 2`."""
    match = re.search(rf"\blevels?\b(.*?)\b{NUMBER}", text, re.IGNORECASE)
    if match is None:
        return None
    number = parse_number(match[2])
    return (0 if re.search(r"exceed|at most|maximum", match[1], re.IGNORECASE) else number), number


def read_xml(text: str) -> Reading:
    """Read how many attributes the elements have."""
    if _OPTIONAL.search(text):
        return unread("XML that may be missing")
    amount = find_amount(text, "attributes?") or _depth_after(text.replace("attributes", "levels"))
    if amount is None:
        return unread("no number of attributes")
    kind = "xml:attributes_per_element" if EACH.search(text) else "xml:num_attributes"
    return Reading(rules=((kind, bound("num_attributes", amount)),))


def read_plain_text(text: str) -> Reading:
    """Read which structure must not occur."""
    if re.search(r"\bno bullet", text, re.IGNORECASE):
        return Reading(rules=(("format:bullet_items", {"num_items": 0, "relation": "exactly"}),))
    return unread("no verifier for this kind of text")
