"""Which language a text is in: langdetect with a fixed seed, so that a text always gets the same answer."""

from functools import lru_cache

from langdetect import DetectorFactory, detect
from langdetect.lang_detect_exception import LangDetectException

SEED = 0


@lru_cache(maxsize=256)
def language_of(text: str) -> str | None:
    """The ISO 639-1 code of a text's language ("zh-cn", "zh-tw" for Chinese), or None if no letter gives it away."""
    DetectorFactory.seed = SEED
    try:
        return detect(text)
    except LangDetectException:  # langdetect's way to say that digits and marks alone have no language
        return None
