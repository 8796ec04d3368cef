"""Language detection with langdetect and fixed seeds, so that a text always gets the same answer."""

from collections import Counter
from functools import lru_cache

from langdetect import DetectorFactory, detect
from langdetect.lang_detect_exception import LangDetectException

SEEDS = (0, 1, 2)
MAJORITY = 2


@lru_cache(maxsize=256)
def language_of(text: str) -> str | None:
    """Return the ISO 639-1 code of a text's language, or None if the text has no letters to decide by.

    langdetect draws at random; the majority of three draws decides, or the first one. Chinese is "zh-cn" or "zh-tw".
    """
    draws: Counter[str | None] = Counter()
    for seed in SEEDS:
        draws[_draw(text, seed)] += 1
        if max(draws.values()) == MAJORITY:
            break
    return draws.most_common(1)[0][0]


def speaks(text: str, language: str) -> bool:
    """Return whether a text is in the language, letter case ignored; "zh" is Chinese in either script."""
    detected = language_of(text.lower())
    return detected is not None and language in (detected, detected.partition("-")[0])


def _draw(text: str, seed: int) -> str | None:
    DetectorFactory.seed = seed
    try:
        return detect(text)
    except LangDetectException:  # digits and marks alone have no language
        return None
