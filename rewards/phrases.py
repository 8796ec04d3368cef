"""Phrase search: where a phrase occurs in a text, letter case and Unicode composition ignored.

Composed and decomposed letters are equal (NFC); spans are those of the text as given. A whole word needs a boundary
only where a letter, mark, digit or underscore at the phrase's edge could go on: `C++` also occurs in `C+++`, and `.NET`
in `ASP.NET`, but `C++` does not occur in `ABC++`. Scripts without spaces have no boundaries; Korean has them.
"""

import re
import unicodedata
from functools import lru_cache

from rewards.verdict import Span

UNSPACED = re.compile(
    "[\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3021-\u3029\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf"
    "\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff]"
)
"""Thai, Lao, Tibetan, Burmese, Khmer, kana and Han."""


def find_phrase(text: str, phrase: str, *, whole: bool = False) -> list[Span]:
    """Return the spans of the phrase without overlap, inside longer words too unless `whole`."""
    composed, spans = _compose(text)
    pattern = re.compile(re.escape(unicodedata.normalize("NFC", phrase)), re.IGNORECASE)
    found: list[Span] = []
    position = 0
    while match := pattern.search(composed, position):
        start, end = match.span()
        if whole and (_joined(composed, start) or _joined(composed, end)):
            position = start + 1
            continue
        found.append((spans[start][0], spans[end - 1][1]) if spans else (start, end))
        position = max(end, start + 1)
    return found


def _joined(text: str, index: int) -> bool:
    """Return whether the characters on both sides of the index belong to one word."""
    return 0 < index < len(text) and _in_word(text[index - 1]) and _in_word(text[index])


def _in_word(character: str) -> bool:
    word = character.isalnum() or character == "_" or unicodedata.category(character).startswith("M")
    return word and not UNSPACED.match(character)


@lru_cache(maxsize=64)
def _compose(text: str) -> tuple[str, tuple[Span, ...]]:
    """Return the text in NFC and the original span of each of its characters (none where nothing changes)."""
    if unicodedata.is_normalized("NFC", text):
        return text, ()
    pieces: list[str] = []
    spans: list[Span] = []
    start = 0
    for end in range(1, len(text) + 1):
        if end < len(text) and _extends(text[end]):
            continue
        piece = unicodedata.normalize("NFC", text[start:end])
        pieces.append(piece)
        same = piece == text[start:end]
        spans += [(start + i, start + i + 1) if same else (start, end) for i in range(len(piece))]
        start = end
    return "".join(pieces), tuple(spans)


def _extends(character: str) -> bool:
    """Return whether the character may compose with the one before: a mark, or a Korean vowel or final consonant."""
    return unicodedata.category(character).startswith("M") or "\u1160" <= character <= "\u11ff"
