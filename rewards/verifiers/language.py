"""Language verifiers: the language and script of a completion."""

import unicodedata
from collections.abc import Callable
from typing import Literal

from rewards.chinese import is_han, is_simplified_only, is_traditional_only
from rewards.count_verdicts import whole_text_verdict
from rewards.language import language_of, speaks
from rewards.semantics import Semantics
from rewards.text import character_spans
from rewards.verdict import Verdict
from rewards.verifier_args import Phrase

Script = Literal[
    "Latin", "Greek", "Cyrillic", "Arabic", "Hebrew", "Devanagari", "Thai", "Hangul", "Hiragana", "Katakana", "Han"
]


def response_language(completion: str, *, language: Phrase, semantics: Semantics) -> Verdict:
    """Check that the text is in the language of this ISO 639-1 code. Margin 0 or -1. (IFEval)

    The code "zh" is Chinese in either script.
    reward: letter case is ignored; a text without a language fails. eval: the text as it is; without one, it passes.
    """
    if semantics == "reward" or language == "zh":
        return whole_text_verdict(completion, -float(not speaks(completion, language)))
    return whole_text_verdict(completion, -float(language_of(completion) not in (language, None)))


def simplified_chinese(completion: str) -> Verdict:
    """Check that at least half of the letters are Chinese and none is traditional only.

    Margin: minus the traditional-only characters, or -1 if too few letters are Chinese.
    """
    return _chinese(completion, is_traditional_only)


def traditional_chinese(completion: str) -> Verdict:
    """Check that at least half of the letters are Chinese and none is simplified only.

    Margin: minus the simplified-only characters, or -1 if too few letters are Chinese.
    """
    return _chinese(completion, is_simplified_only)


def script(completion: str, *, script: Script) -> Verdict:
    """Check that there are letters and all are of this script. Margin: minus the other letters."""
    prefix = "CJK" if script == "Han" else script.upper()
    letters = {character for character in set(completion) if character.isalpha()}
    foreign = {letter for letter in letters if not unicodedata.name(letter, "").startswith(prefix)}
    return _without(completion, foreign) if letters else whole_text_verdict(completion, -1.0)


def _chinese(completion: str, is_wrong: Callable[[str], bool]) -> Verdict:
    num_letters = sum(map(str.isalpha, completion))
    num_han = sum(map(is_han, completion))
    if num_han == 0 or 2 * num_han < num_letters:
        return whole_text_verdict(completion, -1.0)
    return _without(completion, {character for character in set(completion) if is_wrong(character)})


def _without(completion: str, wrong: set[str]) -> Verdict:
    spans = tuple(character_spans(completion, lambda character: character in wrong))
    return (
        Verdict(satisfied=False, margin=-float(len(spans)), evidence=spans)
        if spans
        else whole_text_verdict(completion, 0.0)
    )


VERIFIERS = {
    "language:response_language": response_language,
    "language:script": script,
    "language:simplified_chinese": simplified_chinese,
    "language:traditional_chinese": traditional_chinese,
}
