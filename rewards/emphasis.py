"""Emphasis: the pieces of a Markdown text in *italics*, **bold** or ***both***, by stars or underscores."""

import re
from dataclasses import dataclass

from rewards.markup import without_code
from rewards.phrases import in_word
from rewards.text import LINE, has_word
from rewards.verdict import Span

RUN = re.compile(r"(?<![\\*_])(?:\*+|_+)(?![*_])")
MAX_MARKS = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Emphasis:
    """One emphasised piece on one line.

    Example:
        Emphasis(span=(4, 12), num_marks=2)     # from "the **rain**"
    """

    span: Span
    num_marks: int
    """1 for italics, 2 for bold, 3 for both."""


def emphases(text: str) -> list[Emphasis]:
    """Return the emphasised pieces that hold a letter or digit, in order, those in code left out.

    Marks touch the piece and no other word, so that `2 * 3 * 4` and `2**3 + 4**5` have none.
    """
    masked = without_code(text)
    found = [piece for line in LINE.finditer(masked) for piece in _in_line(masked, line.span())]
    return sorted(found, key=lambda piece: piece.span)


def _in_line(text: str, line: Span) -> list[Emphasis]:
    """Return the pieces in a line: each closing run of marks ends at the latest equal run that could open."""
    open_runs: dict[str, list[int]] = {}
    found = []
    for match in RUN.finditer(text, *line):
        (start, end), run = match.span(), match[0]
        if len(run) > MAX_MARKS:
            continue
        if _touches(text, start - 1, line) and not _goes_on(text, end, line) and open_runs.get(run):
            opening = open_runs[run].pop()
            if has_word(text[opening:start]):
                found.append(Emphasis(span=(opening, end), num_marks=len(run)))
        elif _touches(text, end, line) and not _goes_on(text, start - 1, line):
            open_runs.setdefault(run, []).append(start)
    return found


def _touches(text: str, index: int, line: Span) -> bool:
    return line[0] <= index < line[1] and not text[index].isspace()


def _goes_on(text: str, index: int, line: Span) -> bool:
    return line[0] <= index < line[1] and in_word(text[index])
