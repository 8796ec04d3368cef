r"""What a word, a sentence, a line and a paragraph are, each as character spans.

word       a run of letters, digits or underscores, as IFEval counts them: "don't" is two words
term       a word as written: apostrophes and hyphens inside it belong to it, "don't" is one term
sentence   what NLTK's English punkt model says, without the white space between
line       what stands between line feeds, stripped; blank lines are none
paragraph  lines without a blank line between them
"""

import re
from collections.abc import Iterator
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from rewards.verdict import Span

if TYPE_CHECKING:
    from nltk.tokenize.punkt import PunktSentenceTokenizer

WORD = re.compile(r"\w+")
TERM = re.compile(r"[^\W_]+(?:['\u2019-][^\W_]+)*")
LINE = re.compile(r"[^\n]+")

LONGEST_PIECE = 20_000
"""Characters punkt is given at once, cut behind a sentence if it can be: its time is quadratic on texts made for it."""


def word_spans(text: str) -> list[Span]:
    """Spans of the words of a text."""
    return [match.span() for match in WORD.finditer(text)]


def term_spans(text: str) -> list[Span]:
    """Spans of the words of a text as written, inner apostrophes and hyphens included."""
    return [match.span() for match in TERM.finditer(text)]


@lru_cache(maxsize=64)
def sentence_spans(text: str) -> tuple[Span, ...]:
    """Spans of the sentences of a text."""
    return tuple(
        (at + start, at + end)
        for at, piece in _pieces(text)
        for start, end in _punkt().span_tokenize(piece)
        if start < end
    )


def line_spans(text: str) -> list[Span]:
    """Spans of the lines of a text that are not blank, stripped."""
    stripped = (strip_span(text, match.span()) for match in LINE.finditer(text))
    return [(start, end) for start, end in stripped if start < end]


def paragraph_spans(text: str) -> list[Span]:
    """Spans of the blocks of lines that blank lines separate."""
    return list(_joined_lines(text))


def strip_span(text: str, span: Span) -> Span:
    """The span without the white space at its ends (empty at its start if nothing else is left)."""
    start, end = span
    piece = text[start:end]
    start += len(piece) - len(piece.lstrip())
    return start, max(start, end - (len(piece) - len(piece.rstrip())))


def first_span(text: str) -> Span:
    """Span of the first character that is no white space, or an empty span."""
    start, end = strip_span(text, (0, len(text)))
    return start, min(start + 1, end)


def enclosed_spans(text: str, opening: str, closing: str) -> list[Span]:
    """Spans from an opening mark to the next closing mark on the same line, both included.

    Found mark by mark: a regular expression takes quadratic time on a line of nothing but opening marks.
    """
    return [span for line in LINE.finditer(text) for span in _enclosed_in(text, line.span(), opening, closing)]


def _enclosed_in(text: str, line: Span, opening: str, closing: str) -> Iterator[Span]:
    at, line_end = line
    while (start := text.find(opening, at, line_end)) >= 0:
        end = text.find(closing, start + len(opening), line_end)
        if end < 0:
            return
        at = end + len(closing)
        yield start, at


def _joined_lines(text: str) -> Iterator[Span]:
    start = end = -1
    for line_start, line_end in line_spans(text):
        if start >= 0 and text.count("\n", end, line_start) > 1:
            yield start, end
            start = line_start
        elif start < 0:
            start = line_start
        end = line_end
    if start >= 0:
        yield start, end


def _pieces(text: str) -> Iterator[tuple[int, str]]:
    at = 0
    while len(text) - at > LONGEST_PIECE:
        end = at + LONGEST_PIECE
        sentence_end = max(text.rfind(mark, at, end) + len(mark) for mark in (". ", "! ", "? ", "\n"))
        space = text.rfind(" ", at, end) + 1
        cut = next(cut for cut in (sentence_end, space, end) if cut > at + 2)
        yield at, text[at:cut]
        at = cut
    yield at, text[at:]


@cache
def _punkt() -> "PunktSentenceTokenizer":
    """NLTK's English model, filled from a package: NLTK itself would download it."""
    from nltk.tokenize.punkt import PunktParameters, PunktSentenceTokenizer  # 1.4 s: only when a sentence is asked for
    from punkt.data import english

    parameters = PunktParameters()
    parameters.abbrev_types = set(english.ABBREV_TYPES)
    parameters.collocations = set(english.COLLOCATIONS)
    parameters.sent_starters = set(english.SENT_STARTERS)
    parameters.ortho_context.update(english.ORTHO_CONTEXT)
    return PunktSentenceTokenizer(parameters)
