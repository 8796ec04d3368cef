"""Chinese scripts: which characters are written only in simplified or only in traditional Chinese.

The two national character sets decide: GB 2312 holds the simplified script, Big5 the traditional one. A character in
both, or in neither (some rare names), may appear in either script.
"""


def is_han(character: str) -> bool:
    """Return whether the character is a Chinese character of the two common Unicode blocks."""
    return "\u4e00" <= character <= "\u9fff" or "\u3400" <= character <= "\u4dbf"


def is_simplified_only(character: str) -> bool:
    """Return whether the character is written in simplified Chinese only."""
    return is_han(character) and _in(character, "gb2312") and not _in(character, "big5")


def is_traditional_only(character: str) -> bool:
    """Return whether the character is written in traditional Chinese only."""
    return is_han(character) and _in(character, "big5") and not _in(character, "gb2312")


def _in(character: str, character_set: str) -> bool:
    return bool(character.encode(character_set, errors="ignore"))
