"""Folding: a text as a reader sees it, for comparison: invisible characters left out, variants and look-alikes plain.

Composed and decomposed letters, full-width, mathematical and circled ones, small capitals, curly quotes and the Greek
and Cyrillic letters that look like Latin ones become one character (Unicode's NFKC, and the tables here).
"""

import unicodedata
from functools import cache, lru_cache

from rewards.verdict import Span

BLANKS = "\u034f\u115f\u1160\u2800\u3164\uffa0"
"""Characters that are no format characters to Unicode and show nothing."""
VARIATION_SELECTORS = ("\u180b", "\u180d"), ("\ufe00", "\ufe0f"), ("\U000e0100", "\U000e01ef")
DECORATIONS = ("\u0300", "\u036f"), ("\u1ab0", "\u1aff"), ("\u1dc0", "\u1dff"), ("\u20d0", "\u20ff")
"""Combining marks of European scripts; those left after composition belong to no letter of a language's alphabet."""
LOOKALIKES = str.maketrans(
    "\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0456\u0458\u0455\u0501\u04bb\u051b\u051d\u04cf"
    "\u0410\u0412\u0415\u041a\u041c\u041d\u041e\u0420\u0421\u0422\u0423\u0425\u0406\u0408\u0405"
    "\u0391\u0392\u0395\u0396\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4\u03a5\u03a7\u03bf\u03bd\u03b9\u0131\u0261"
    "\u2018\u2019\u02bc\u201a\u201c\u201d\u201e\u2010\u2212",
    "aeopcyxijsdhqwlABEKMHOPCTYXIJSABEZHIKMNOPTYXoviig''',\"\"\"--",
)


@lru_cache(maxsize=64)
def fold(text: str) -> tuple[str, tuple[Span, ...]]:
    """Return the folded text and the original span of each of its characters (no spans where nothing changes)."""
    if text.isascii():
        return text, ()
    pieces: list[str] = []
    spans: list[Span] = []
    start = 0
    for end in range(1, len(text) + 1):
        if end < len(text) and _extends(text[end]):
            continue
        piece = _folded(text[start:end])
        pieces.append(piece)
        spans += [(start, end)] * len(piece)
        start = end
    return "".join(pieces), tuple(spans)


def plain(text: str) -> str:
    """Return the folded text in lower case: two texts that read alike have the same one."""
    return text.lower() if text.isascii() else fold(text)[0].lower()


def original_span(spans: tuple[Span, ...], start: int, end: int) -> Span:
    """Return the span of the text as given, of a non-empty span of the folded one."""
    return (spans[start][0], spans[end - 1][1]) if spans else (start, end)


@lru_cache(maxsize=16_384)
def _folded(piece: str) -> str:
    if piece.isascii():
        return piece
    seen = "".join(character for character in piece if not is_invisible(character))
    composed = unicodedata.normalize("NFKC", seen).translate(LOOKALIKES)
    return "".join(map(_plain_capital, (character for character in composed if not _within(character, DECORATIONS))))


@cache
def is_invisible(character: str) -> bool:
    """Return whether a character shows nothing: a format character, a variation selector or a blank letter."""
    return unicodedata.category(character) == "Cf" or character in BLANKS or _within(character, VARIATION_SELECTORS)


@cache
def _plain_capital(character: str) -> str:
    name = unicodedata.name(character, "")
    letter = name.removeprefix("LATIN LETTER SMALL CAPITAL ")
    return letter.lower() if letter != name and len(letter) == 1 else character


@cache
def _extends(character: str) -> bool:
    """Return whether the character may join the one before: a mark, a Korean vowel or final consonant, or nothing."""
    joins = unicodedata.category(character).startswith("M") or "\u1160" <= character <= "\u11ff"
    return joins or is_invisible(character)


def _within(character: str, ranges: tuple[tuple[str, str], ...]) -> bool:
    return any(first <= character <= last for first, last in ranges)
