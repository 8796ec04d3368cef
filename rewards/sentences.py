"""Sentences: NLTK's English punkt model with its marks pinned, since its releases differ on curly quotes."""

import re
from collections.abc import Iterator
from functools import cache, lru_cache
from typing import Any

from nltk.tokenize.punkt import PunktLanguageVars, PunktParameters, PunktSentenceTokenizer
from punkt.data import english

from rewards.verdict import Span

MAX_PIECE = 20_000
"""Longest text in characters that punkt gets at once, cut behind a sentence if possible.

Punkt's time is quadratic on adversarial texts.
"""
PUBLISHED_CLOSERS = "\"')\\]}"
"""Marks that stay with the sentence before them in the release that IFEval's published verdicts were made with."""
CLOSERS = PUBLISHED_CLOSERS + "\u2018\u2019\u201c\u201d\u00ab\u00bb"
"""The same and all curly and angled quotation marks."""


class _PinnedMarks(PunktLanguageVars):
    """Punkt's expressions with these closing marks."""

    def __init__(self, closers: str):
        self.re_boundary_realignment = re.compile(rf"[{closers}]+?(?:\s+|(?=--)|$)", re.MULTILINE)
        self._non_word = rf"(?:[)\";}}\]\*:@\'\({{\[?!{closers}])"

    @property
    def _re_non_word_chars(self) -> str:
        return self._non_word

    def period_context_re(self) -> re.Pattern[str]:
        return _compiled(
            self._period_context_fmt % {"NonWord": self._non_word, "SentEndChars": self._re_sent_end_chars}
        )

    def _word_tokenizer_re(self) -> re.Pattern[str]:
        parts = {
            "NonWord": self._non_word,
            "MultiChar": self._re_multi_char_punct,
            "WordStart": self._re_word_start,
        }
        return _compiled(self._word_tokenize_fmt % parts)


class _CachedPunkt(PunktSentenceTokenizer):
    """Punkt that decides equal contexts once."""

    def __init__(self, *arguments: Any, **keywords: Any):
        super().__init__(*arguments, **keywords)
        self._decide = lru_cache(maxsize=16_384)(super().text_contains_sentbreak)

    def text_contains_sentbreak(self, text: str) -> bool:
        return self._decide(text)


def punkt_spans(text: str, *, closers: str = CLOSERS) -> Iterator[Span]:
    """Yield the spans of the sentences of a text."""
    for position, piece in _pieces(text):
        for start, end in _punkt(closers).span_tokenize(piece):
            if start < end:
                yield position + start, position + end


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.VERBOSE)


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
def _punkt(closers: str) -> PunktSentenceTokenizer:
    """Return NLTK's English model, filled from a package: NLTK itself would download it."""
    parameters = PunktParameters()
    parameters.abbrev_types = set(english.ABBREV_TYPES)
    parameters.collocations = set(english.COLLOCATIONS)
    parameters.sent_starters = set(english.SENT_STARTERS)
    parameters.ortho_context.update(english.ORTHO_CONTEXT)
    return _CachedPunkt(parameters, lang_vars=_PinnedMarks(closers))
