r"""Text units: words, sentences, lines and paragraphs, each as character spans.

word       a run of letters, digits or underscores, as IFEval counts them: "don't" is two words
term       a word as written, with its inner apostrophes and hyphens and its marks: "don't" is one term
sentence   a sentence by NLTK's English punkt model, without the white space between sentences; also one that ends with
           a full-width mark, and each list item, whose number belongs to none
line       the stripped text between line feeds; blank lines do not count
paragraph  consecutive lines without a blank line between them
"""

import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from unicodedata import category

from rewards.verdict import Span

_CHARACTERS = map(chr, range(0x80, 0x1F000))
MARKS = re.escape("".join(char for char in _CHARACTERS if category(char) in ("Mn", "Mc", "Me", "Cf")))
"""Combining marks and format characters, which show inside a word or not at all, and are letters to no pattern."""
_LETTERS = rf"[^\W_]+(?:[{MARKS}]+[^\W_]*)*"
WORD = re.compile(rf"{_LETTERS}(?:_+(?:{_LETTERS})?)*")
TERM = re.compile(rf"{_LETTERS}(?:['\u2019-]{_LETTERS})*")
DOTTED = re.compile(rf"{TERM.pattern}(?:\.{TERM.pattern})*")
"""A term with those joined to it by a full stop, such as "Node.js" or "U.S"."""
LINE = re.compile(r"[^\n]+")
ITEM = re.compile(r"^[ \t]*(?:[-*+\u2022]|\d{1,3}[.)])[ \t]+", re.MULTILINE)
"""The mark of a list item."""
WIDE_END = re.compile("[\u3002\uff01\uff1f\uff0e\u061f\u06d4\u0964]+[\"')\\]}\u2019\u201d\u300d\u300f\uff09]*")
"""The end of a sentence in scripts that do without the Latin full stop or a space behind it."""


def word_spans(text: str) -> list[Span]:
    """Return the spans of the words of a text."""
    return [match.span() for match in WORD.finditer(text)]


def term_spans(text: str) -> list[Span]:
    """Return the spans of the words of a text as written, inner apostrophes and hyphens included."""
    return [match.span() for match in TERM.finditer(text)]


def has_word(text: str) -> bool:
    """Return whether a text holds a letter or a digit."""
    return any(map(str.isalnum, text))


@lru_cache(maxsize=64)
def sentence_spans(text: str) -> tuple[Span, ...]:
    """Return the spans of the sentences of a text; what holds no letter or digit is none."""
    from rewards.sentences import punkt_spans  # imports NLTK, 1.4 s: only when a sentence is needed

    parts = ((first, punkt_spans(text[first:last])) for first, last in _between(text, ITEM))
    spans = ((first + start, first + end) for first, sentences in parts for start, end in sentences)
    if WIDE_END.search(text):
        spans = (part for start, end in spans for part in _wide_sentences(text, start, end))
    return tuple((start, end) for start, end in spans if has_word(text[start:end]))


@lru_cache(maxsize=64)
def published_sentence_spans(text: str) -> tuple[Span, ...]:
    """Return the spans of the sentences of a text as IFEval's published verdicts count them."""
    from rewards.sentences import PUBLISHED_CLOSERS, punkt_spans  # as above

    return tuple(punkt_spans(text, closers=PUBLISHED_CLOSERS))


def _between(text: str, mark: re.Pattern[str]) -> Iterator[Span]:
    """Yield the spans of the text between the marks."""
    start = 0
    for match in mark.finditer(text):
        yield start, match.start()
        start = match.end()
    yield start, len(text)


def _wide_sentences(text: str, start: int, end: int) -> Iterator[Span]:
    ends = [match.end() for match in WIDE_END.finditer(text, start, end)]
    for last in (*ends, end):
        span = strip_span(text, (start, last))
        if span[0] < span[1]:
            yield span
        start = last


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
