r"""Text units: words, sentences, lines and paragraphs, each as character spans.

word       a run of letters, digits or underscores, as IFEval counts them: "don't" is two words
term       a word as written, with its inner apostrophes and hyphens: "don't" is one term
sentence   a sentence by NLTK's English punkt model, without the white space between sentences
line       the stripped text between line feeds; blank lines do not count
paragraph  consecutive lines without a blank line between them
"""

import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from rewards.verdict import Span

if TYPE_CHECKING:
    from nltk.tokenize.punkt import PunktSentenceTokenizer

WORD = re.compile(r"\w+")
TERM = re.compile(r"[^\W_]+(?:['\u2019-][^\W_]+)*")
LINE = re.compile(r"[^\n]+")

MAX_PIECE = 20_000
"""Longest text in characters that punkt gets at once, cut behind a sentence if possible.

Punkt's time is quadratic on adversarial texts.
"""


def word_spans(text: str) -> list[Span]:
    """Return the spans of the words of a text."""
    return [match.span() for match in WORD.finditer(text)]


def term_spans(text: str) -> list[Span]:
    """Return the spans of the words of a text as written, inner apostrophes and hyphens included."""
    return [match.span() for match in TERM.finditer(text)]


@lru_cache(maxsize=64)
def sentence_spans(text: str) -> tuple[Span, ...]:
    """Return the spans of the sentences of a text."""
    return tuple(
        (position + start, position + end)
        for position, piece in _pieces(text)
        for start, end in _punkt().span_tokenize(piece)
        if start < end
    )


def line_spans(text: str) -> list[Span]:
    """Return the spans of the lines of a text that are not blank, stripped."""
    stripped = (strip_span(text, match.span()) for match in LINE.finditer(text))
    return [(start, end) for start, end in stripped if start < end]


def paragraph_spans(text: str) -> list[Span]:
    """Return the spans of the blocks of lines that blank lines separate."""
    return list(_joined_lines(text))


def character_spans(text: str, matches: Callable[[str], bool]) -> list[Span]:
    """Return the spans of the single characters that match."""
    return [(index, index + 1) for index, character in enumerate(text) if matches(character)]


def lower_words(text: str) -> list[str]:
    """Return the words of a text in lower case."""
    return [match[0].lower() for match in WORD.finditer(text)]


def word_runs(words: Sequence[str], size: int) -> list[tuple[str, ...]]:
    """Return every run of `size` consecutive words, in order."""
    return [tuple(words[start : start + size]) for start in range(len(words) - size + 1)]


def strip_span(text: str, span: Span) -> Span:
    """Return the span without the white space at its ends (empty at its start if nothing else is left)."""
    start, end = span
    piece = text[start:end]
    start += len(piece) - len(piece.lstrip())
    return start, max(start, end - (len(piece) - len(piece.rstrip())))


def first_span(text: str) -> Span:
    """Return the span of the first character that is not white space, or an empty span."""
    start, end = strip_span(text, (0, len(text)))
    return start, min(start + 1, end)


def enclosed_spans(text: str, opening: str, closing: str) -> list[Span]:
    """Return the spans from an opening mark to the next closing mark on the same line, both included.

    The search goes mark by mark: a regular expression takes quadratic time on a line of nothing but opening marks.
    """
    return [span for line in LINE.finditer(text) for span in _enclosed_in(text, line.span(), opening, closing)]


def _enclosed_in(text: str, line: Span, opening: str, closing: str) -> Iterator[Span]:
    position, line_end = line
    while (start := text.find(opening, position, line_end)) >= 0:
        end = text.find(closing, start + len(opening), line_end)
        if end < 0:
            return
        position = end + len(closing)
        yield start, position


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
    position = 0
    while len(text) - position > MAX_PIECE:
        end = position + MAX_PIECE
        sentence_end = max(text.rfind(mark, position, end) + len(mark) for mark in (". ", "! ", "? ", "\n"))
        space = text.rfind(" ", position, end) + 1
        cut = next(cut for cut in (sentence_end, space, end) if cut > position + 2)
        yield position, text[position:cut]
        position = cut
    yield position, text[position:]


@cache
def _punkt() -> "PunktSentenceTokenizer":
    """Return NLTK's English model, filled from a package: NLTK itself would download it."""
    from nltk.tokenize.punkt import PunktParameters, PunktSentenceTokenizer  # 1.4 s: only when a sentence is needed
    from punkt.data import english

    parameters = PunktParameters()
    parameters.abbrev_types = set(english.ABBREV_TYPES)
    parameters.collocations = set(english.COLLOCATIONS)
    parameters.sent_starters = set(english.SENT_STARTERS)
    parameters.ortho_context.update(english.ORTHO_CONTEXT)
    return PunktSentenceTokenizer(parameters)
