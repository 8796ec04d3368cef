"""Chinese characters: which are written only in the simplified or only in the traditional script.

Told by the two national character sets: GB 2312 holds the simplified script, Big5 the traditional one. A character in
both, or in neither (some rare names), belongs to either script.
"""


def is_han(character: str) -> bool:
    """Whether the character is a Chinese character of the two common Unicode blocks."""
    return "\u4e00" <= character <= "\u9fff" or "\u3400" <= character <= "\u4dbf"


def only_simplified(character: str) -> bool:
    """Whether the character belongs to the simplified script alone."""
    return is_han(character) and _in(character, "gb2312") and not _in(character, "big5")


def only_traditional(character: str) -> bool:
    """Whether the character belongs to the traditional script alone."""
    return is_han(character) and _in(character, "big5") and not _in(character, "gb2312")


def _in(character: str, character_set: str) -> bool:
    return bool(character.encode(character_set, errors="ignore"))
