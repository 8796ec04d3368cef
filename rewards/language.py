"""Language detection with langdetect and a fixed seed, so that a text always gets the same answer."""

from functools import lru_cache

from langdetect import DetectorFactory, detect
from langdetect.lang_detect_exception import LangDetectException

SEED = 0


@lru_cache(maxsize=256)
def language_of(text: str) -> str | None:
    """Return the ISO 639-1 code of a text's language, or None if the text has no letters to decide by.

    Chinese is "zh-cn" or "zh-tw".
    """
    DetectorFactory.seed = SEED
    try:
        return detect(text)
    except LangDetectException:  # digits and marks alone have no language
        return None
