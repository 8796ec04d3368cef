"""IFEval format verifiers: bullets, highlights, sections, titles and fixed answers."""

import re

from rewards.count_verdicts import count_verdict, required_verdict
from rewards.verdict import Span, Verdict
from rewards.verifier_args import Count, Phrase

BULLET_STAR = re.compile(r"^[^\S\n]*(\*[^*].*)$", re.MULTILINE)
BULLET_DASH = re.compile(r"^[^\S\n]*(-.*)$", re.MULTILINE)
ITALIC = re.compile(r"\*([^\n*]*)\*")
BOLD = re.compile(r"\*\*([^\n*]*)\*\*")
FIXED_ANSWERS = ("My answer is yes.", "My answer is no.", "My answer is maybe.")


def number_bullet_lists(completion: str, *, num_bullets: Count) -> Verdict:
    """Check for an exact number of bullets, `* ` or `-` at the start of a line. Margin in bullets. (IFEval)"""
    bullets = [match.span(1) for pattern in (BULLET_STAR, BULLET_DASH) for match in pattern.finditer(completion)]
    return count_verdict(sorted(bullets), num_bullets, "exactly")


def constrained_response(completion: str) -> Verdict:
    """Check that one of IFEval's three fixed answers occurs. Margin 0 or -1. (IFEval)"""
    starts = [(completion.find(answer), len(answer)) for answer in FIXED_ANSWERS]
    return required_verdict([next(((start, start + size) for start, size in starts if start >= 0), None)])


def number_highlighted_sections(completion: str, *, num_highlights: Count) -> Verdict:
    """Check for a minimum number of highlights, *one star* or **two**. Margin in highlights. (IFEval)"""
    highlights = [
        match.span() for pattern in (ITALIC, BOLD) for match in pattern.finditer(completion) if match[1].strip("* \t")
    ]
    return count_verdict(sorted(highlights), num_highlights, "at least")


def multiple_sections(completion: str, *, section_spliter: Phrase, num_sections: Count) -> Verdict:
    """Check for a minimum number of section marks, the word and a number. Margin in sections. (IFEval)"""
    mark = re.compile(rf"{re.escape(section_spliter.strip())}\s?\d+")
    return count_verdict([match.span() for match in mark.finditer(completion)], num_sections, "at least")


def title(completion: str) -> Verdict:
    """Check for a title in double angular brackets on one line, <<title>>. Margin 0 or -1. (IFEval)"""
    return required_verdict([next(filter(None, map(_bracketed, re.finditer(r"[^\n]+", completion))), None)])


def _bracketed(line: re.Match[str]) -> Span | None:
    """Return the span of the title in a line.

    Searched from both ends of the line: one pattern for it would take quadratic time on `<<<<...`.
    """
    opening, closing = line[0].find("<<"), line[0].rfind(">>")
    if opening < 0 or closing < opening + 3 or not line[0][opening : closing + 2].lstrip("<").rstrip(">").strip():
        return None
    return line.start() + opening, line.start() + closing + 2


VERIFIERS = {
    "detectable_format:number_bullet_lists": number_bullet_lists,
    "detectable_format:constrained_response": constrained_response,
    "detectable_format:number_highlighted_sections": number_highlighted_sections,
    "detectable_format:multiple_sections": multiple_sections,
    "detectable_format:title": title,
}
