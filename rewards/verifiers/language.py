"""Language: what a completion is written in; its evidence is the whole text, or the characters that do not fit."""

import unicodedata
from collections.abc import Callable
from typing import Literal

from rewards.chinese import is_han, only_simplified, only_traditional
from rewards.count_verdicts import whole_text
from rewards.language import language_of
from rewards.verdict import Verdict
from rewards.verifier_args import Phrase

Script = Literal[
    "Latin", "Greek", "Cyrillic", "Arabic", "Hebrew", "Devanagari", "Thai", "Hangul", "Hiragana", "Katakana", "Han"
]


def response_language(completion: str, *, language: Phrase) -> Verdict:
    """The text is in the language of this ISO 639-1 code. Margin 0 or -1. (IFEval)

    A text without a recognisable language fails; IFEval lets it pass.
    """
    return whole_text(completion, -float(language_of(completion) != language))


def simplified_chinese(completion: str) -> Verdict:
    """At least half of the letters are Chinese, none only traditional. Margin: minus those that are, -1 if too few."""
    return _chinese(completion, only_traditional)


def traditional_chinese(completion: str) -> Verdict:
    """At least half of the letters are Chinese, none only simplified. Margin: minus those that are, -1 if too few."""
    return _chinese(completion, only_simplified)


def script(completion: str, *, script: Script) -> Verdict:
    """There are letters, and all are of this script. Margin: minus the other letters."""
    prefix = "CJK" if script == "Han" else script.upper()
    letters = {character for character in set(completion) if character.isalpha()}
    foreign = {letter for letter in letters if not unicodedata.name(letter, "").startswith(prefix)}
    return _without(completion, foreign) if letters else whole_text(completion, -1.0)


def _chinese(completion: str, is_wrong: Callable[[str], bool]) -> Verdict:
    num_letters = sum(map(str.isalpha, completion))
    num_han = sum(map(is_han, completion))
    if num_han == 0 or 2 * num_han < num_letters:
        return whole_text(completion, -1.0)
    return _without(completion, {character for character in set(completion) if is_wrong(character)})


def _without(completion: str, wrong: set[str]) -> Verdict:
    found = tuple((at, at + 1) for at, character in enumerate(completion) if character in wrong)
    return Verdict(satisfied=False, margin=-float(len(found)), evidence=found) if found else whole_text(completion, 0.0)


VERIFIERS = {
    "language:response_language": response_language,
    "language:script": script,
    "language:simplified_chinese": simplified_chinese,
    "language:traditional_chinese": traditional_chinese,
}
