"""Content verifiers: pieces of text with a fixed shape, such as placeholders, postscripts, numbers and dates."""

import re
from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise
from typing import Literal

import regex

from rewards.count_verdicts import Relation, count_verdict, forbidden_verdict, required_verdict
from rewards.folding import fold, original_span
from rewards.semantics import Semantics
from rewards.text import WORD, character_spans, enclosed_spans, strip_span
from rewards.verdict import Span, Verdict
from rewards.verifier_args import Character, Count, Phrase

POSTSCRIPTS = {"P.P.S": r"p\.\s?p\.\s?s", "P.S.": r"p\.\s?s\."}
TASK_BOX = re.compile(r"\[[ xX]\]")
NUMBER = re.compile(r"(?<![\w.,])[-+\u2212]?\d+(?:[.,]\d+)*(?![\w]|[.,]\d)")
LINK = re.compile(r"https?://(?:[^\s<>\"'()\]]|\([^\s()]*\))+(?<![.,;:!?])")
"""A web address; of round brackets it holds pairs alone."""
_PICTURE = r"(?:\p{Emoji_Presentation}|\p{Extended_Pictographic}(?:\uFE0F|(?<=[\u2600-\u27BF\U0001F000-\U0001FAFF])))"
_PICTURE += r"[\uFE0F\U0001F3FB-\U0001F3FF\U000E0020-\U000E007F]*"
EMOJI = regex.compile(rf"\p{{RI}}{{2}}|[0-9#*]\uFE0F?\u20E3|{_PICTURE}(?:\u200D{_PICTURE})*")
"""A flag, a keycap, or a picture with its skin tones and the pictures joined to it."""

DateStyle = Literal["YYYY-MM-DD", "DD.MM.YYYY", "MM/DD/YYYY", "Month D, YYYY", "D Month YYYY"]
MONTH = "January|February|March|April|May|June|July|August|September|October|November|December"
DATES: dict[str, tuple[str, str]] = {
    "YYYY-MM-DD": (r"\d{4}-\d{2}-\d{2}", "%Y-%m-%d"),
    "DD.MM.YYYY": (r"\d{2}\.\d{2}\.\d{4}", "%d.%m.%Y"),
    "MM/DD/YYYY": (r"\d{2}/\d{2}/\d{4}", "%m/%d/%Y"),
    "Month D, YYYY": (rf"(?:{MONTH}) \d{{1,2}}, \d{{4}}", "%B %d, %Y"),
    "D Month YYYY": (rf"\d{{1,2}} (?:{MONTH}) \d{{4}}", "%d %B %Y"),
}


def number_placeholders(completion: str, *, num_placeholders: Count, semantics: Semantics) -> Verdict:
    """Check for a minimum number of placeholders in square brackets. Margin in placeholders. (IFEval)

    reward: a placeholder holds a letter, and is neither a task's box nor the text of a link. eval: `[]` is one.
    """
    spans = enclosed_spans(completion, "[", "]")
    if semantics == "reward":
        spans = [(start, end) for start, end in spans if _is_placeholder(completion, start, end)]
    return count_verdict(spans, num_placeholders, "at least")


def _is_placeholder(text: str, start: int, end: int) -> bool:
    is_link = text.startswith(("(", "["), end) or (text.startswith(":", end) and text[:start].endswith("\n"))
    return any(map(str.isalpha, text[start:end])) and not TASK_BOX.match(text, start, end) and not is_link


def postscript(completion: str, *, postscript_marker: Phrase, semantics: Semantics) -> Verdict:
    """Check for a postscript that begins with the marker, letter case ignored. Margin 0 or -1. (IFEval)

    reward: the marker is a word of its own, and text other than markers follows it. eval: "U.P.S." is a postscript.
    """
    marker = postscript_marker.strip()
    pattern = POSTSCRIPTS.get(marker, re.escape(marker))
    found = re.finditer(rf"(?:{pattern})[^\n]*", completion, re.IGNORECASE)
    if semantics == "eval":
        return required_verdict([next((match.span() for match in found), None)])
    marks = [match.span() for match in re.finditer(rf"(?<![\w.])(?:{pattern})", completion, re.IGNORECASE)]
    edges = pairwise((*marks, (len(completion), 0)))
    return required_verdict([next(filter(None, (_own_text(completion, mark, end) for mark, (end, _) in edges)), None)])


def _own_text(text: str, mark: Span, end: int) -> Span | None:
    """Return the span of a mark with the line of text after it, or None without a word up to `end`."""
    word = WORD.search(text, mark[1], end)
    line_end = text.find("\n", word.start(), end) if word else end
    return strip_span(text, (mark[0], line_end if line_end >= 0 else end)) if word else None


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
    return forbidden_verdict(letter_spans(completion, letter))


def letter_spans(text: str, letter: str) -> list[Span]:
    """Return the spans of the characters that read like the letter, letter case ignored."""
    folded, spans = fold(text)
    wanted = fold(letter)[0].lower()
    found = [index for index, character in enumerate(folded) if character.lower() == wanted]
    return list(dict.fromkeys(original_span(spans, index, index + 1) for index in found))


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
