"""Guard `plain_characters`: detects characters that are invisible or imitate others."""

import re
import unicodedata

COST = 0.25
"""What each such character takes from the score."""

JOINERS = "\u200c\u200d\ufe0f"
"""Invisible characters that belong to ordinary Persian, Hindi and emoji."""
BLANKS = "\u115f\u1160\u2800\u3164\uffa0"
"""Characters that Unicode calls letters and that show as blanks."""
ORDINARY = re.compile(
    "[0-9#*]\ufe0f?\u20e3"  # keycaps
    "|[\u00a9\u00ae]\ufe0f"
    "|\U0001f3f4[\U000e0020-\U000e007f]+"  # the flags of Scotland and others
)
"""Sequences of plain and invisible characters that show as one symbol."""
RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff]")
DIRECTION_MARKS = "\u200e\u200f\u061c"
LETTER_RUN = re.compile(r"[^\W\d_]+")
EAST_ASIAN = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
CYRILLIC = re.compile("[\u0400-\u052f]")
GREEK_LOOKALIKES = frozenset(
    "\u0391\u0392\u0395\u0396\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4\u03a5\u03a7\u03bf\u03bd"
)
MARK_RUN = re.compile("[\u0300-\u036f]{3,}|[\u0334-\u0338\u20d0-\u20ea]")
"""Several accents on one letter, or strokes through it."""
MAX_VARIABLES = 3
"""Longest run of mathematical letters, such as the product of two variables, that is not a word in disguise."""


def plain_characters(completion: str) -> float:
    """Return 1 for a text without hidden or disguised characters, 0.25 less for each.

    Mathematical letters that stand for variables, keycaps, flags and full-width letters in East Asian text are plain.
    """
    if completion.isascii():
        return 1.0
    text = ORDINARY.sub("", completion)
    num_suspicious = _num_hidden(text) + _num_disguised(text) + len(MARK_RUN.findall(text))
    return max(0.0, 1.0 - COST * num_suspicious)


def _num_hidden(text: str) -> int:
    ordinary = DIRECTION_MARKS if RIGHT_TO_LEFT.search(text) else ""
    pairs = zip(" " + text, text, strict=False)
    return sum(
        _is_hidden(character) and character not in ordinary and not _is_joined(before, character)
        for before, character in pairs
    )


def _is_hidden(character: str) -> bool:
    return not character.isascii() and (
        character in BLANKS or character == "\ufe0f" or unicodedata.category(character) in ("Cf", "Co")
    )


def _is_joined(before: str, character: str) -> bool:
    return character in JOINERS and not before.isascii() and not _is_hidden(before)


def _num_disguised(text: str) -> int:
    """Count Cyrillic and Greek letters inside Latin words, and words of styled variants of Latin letters."""
    full_width_is_plain = EAST_ASIAN.search(text) is not None
    return sum(_num_foreign(run[0]) + _num_styled(run[0], full_width_is_plain) for run in LETTER_RUN.finditer(text))


def _num_styled(word: str, full_width_is_plain: bool) -> int:
    if word.isascii():
        return 0
    styled = [letter for letter in word if _is_styled_latin(letter)]
    if full_width_is_plain:
        styled = [letter for letter in styled if not "\uff21" <= letter <= "\uff5a"]
    has_plain = any(letter.isascii() for letter in word)
    variables = not has_plain and len(styled) <= MAX_VARIABLES and all(letter >= "\U0001d400" for letter in styled)
    return 0 if variables else len(styled)


def _is_styled_latin(letter: str) -> bool:
    """Return whether a letter is a full-width, mathematical or circled Latin letter.

    The letterlike block (such as the set of reals) and superscripts do not count.
    """
    if letter.isascii() or "\u2100" <= letter <= "\u214f" or letter in "ªº" or unicodedata.category(letter) == "Lm":
        return False
    plain = unicodedata.normalize("NFKC", letter)
    return len(plain) == 1 and plain.isascii() and plain.isalpha()


def _num_foreign(word: str) -> int:
    if word.isascii() or not any(letter.isascii() for letter in word):
        return 0
    return sum(bool(CYRILLIC.match(letter)) or letter in GREEK_LOOKALIKES for letter in word)
