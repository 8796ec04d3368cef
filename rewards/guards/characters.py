"""Guard `plain_characters`: detects characters that are invisible or imitate others."""

import re
import unicodedata

COST = 0.25
"""What each such character takes from the score."""

JOINERS = "\u200c\u200d\ufe0f"
"""Invisible characters that belong to ordinary Persian, Hindi and emoji."""
BLANKS = "\u115f\u1160\u2800\u3164\uffa0"
"""Characters that Unicode calls letters and that show as blanks."""
LETTER_RUN = re.compile(r"[^\W\d_]+")
CYRILLIC = re.compile("[\u0400-\u052f]")
GREEK_LOOKALIKES = frozenset(
    "\u0391\u0392\u0395\u0396\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4\u03a5\u03a7\u03bf\u03bd"
)
MARK_RUN = re.compile("[\u0300-\u036f]{3,}|[\u0334-\u0338\u20d0-\u20ea]")
"""Several accents on one letter, or strokes through it."""


def plain_characters(completion: str) -> float:
    """Return 1 for a text without hidden or disguised characters, 0.25 less for each."""
    num_suspicious = _num_hidden(completion) + _num_disguised(completion) + len(MARK_RUN.findall(completion))
    return max(0.0, 1.0 - COST * num_suspicious)


def _num_hidden(text: str) -> int:
    pairs = zip(" " + text, text, strict=False)
    return sum(_is_hidden(character) and not _is_joined(before, character) for before, character in pairs)


def _is_hidden(character: str) -> bool:
    return not character.isascii() and (
        character in BLANKS or character == "\ufe0f" or unicodedata.category(character) in ("Cf", "Co")
    )


def _is_joined(before: str, character: str) -> bool:
    return character in JOINERS and not before.isascii() and not _is_hidden(before)


def _num_disguised(text: str) -> int:
    """Count Cyrillic and Greek letters inside Latin words, and styled variants of Latin letters."""
    num_styled = sum(not letter.isascii() and _is_styled_latin(letter) for letter in text)
    return num_styled + sum(_num_foreign(match[0]) for match in LETTER_RUN.finditer(text))


def _is_styled_latin(letter: str) -> bool:
    """Return whether a letter is a full-width, mathematical or circled Latin letter.

    The letterlike block (such as the set of reals) and superscripts do not count.
    """
    if "\u2100" <= letter <= "\u214f" or unicodedata.category(letter) == "Lm" or letter in "ªº":
        return False
    plain = unicodedata.normalize("NFKC", letter)
    return len(plain) == 1 and plain.isascii() and plain.isalpha()


def _num_foreign(word: str) -> int:
    if word.isascii() or not any(letter.isascii() for letter in word):
        return 0
    return sum(bool(CYRILLIC.match(letter)) or letter in GREEK_LOOKALIKES for letter in word)
