"""Key words: the words of a text that carry its topic, without function words and reduced to their stems."""

from functools import cache, lru_cache
from typing import TYPE_CHECKING

from rewards.text import TERM

if TYPE_CHECKING:
    from nltk.stem.snowball import EnglishStemmer

_FUNCTION = """
a about above after again against all also am an and any are as at be because been before being below between both
but by can could did do does doing down during each either else few for from further get had has have having he her
here hers herself him himself his how i if in into is it its itself just let like may me might more most must my
myself neither no nor not now of off on once only or other our ours ourselves out over own per please rather same
shall she should since so some such than that the their theirs them themselves then there these they this those
through to too under until up upon us very was we were what when where which while who whom whose why will with
within without would yes yet you your yours yourself yourselves
"""
FUNCTION_WORDS = frozenset(_FUNCTION.split())
"""English words that carry grammar rather than a topic."""

_REQUEST = """
answer brief briefly compose create describe detail detailed draft essay example examples explain explanation
generate give help letter list make mention message name note outline paragraph paragraphs piece poem provide reply
respond response say sentence sentences short show state story suggest summarize summary tell text word words write
"""
REQUEST_WORDS = frozenset(_REQUEST.split())
"""Words that request a text rather than name its topic."""


@lru_cache(maxsize=4096)
def stem(word: str) -> str:
    """Return the stem of a word, letter case ignored: "raining", "Rains" -> "rain"."""
    return _stemmer().stem(word.lower().replace("\u2019", "'").removesuffix("'s"))


def key_stems(text: str) -> frozenset[str]:
    """Return the stems of the words of a text that carry its topic."""
    words = (match[0].lower() for match in TERM.finditer(text))
    return frozenset(stem(word) for word in words if word not in FUNCTION_WORDS and len(word) > 1)


@lru_cache(maxsize=1024)
def request_stems(request: str) -> frozenset[str]:
    """Return the key stems of a request without request words; all its key stems if nothing else is left."""
    request_words = frozenset(map(stem, REQUEST_WORDS))
    return key_stems(request) - request_words or key_stems(request)


@cache
def _stemmer() -> "EnglishStemmer":
    from nltk.stem.snowball import EnglishStemmer  # 1.4 s: only when a stem is needed

    return EnglishStemmer()
