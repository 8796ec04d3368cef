"""Phrase search: where a phrase occurs in a text, letter case and the looks of characters ignored.

Spans are those of the text as given. A whole word needs a boundary only where a letter, mark or digit at the phrase's
edge could go on: `C++` also occurs in `C+++`, and `.NET` in `ASP.NET`, but `C++` does not occur in `ABC++`. Scripts
without spaces have no boundaries; Korean has them.
"""

import re
import unicodedata

from rewards.folding import fold, original_span, plain
from rewards.text import TERM
from rewards.topic import stem
from rewards.verdict import Span

UNSPACED = re.compile(
    "[\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3021-\u3029\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf"
    "\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff]"
)
"""Thai, Lao, Tibetan, Burmese, Khmer, kana and Han."""
IGNORE = {True: re.IGNORECASE, False: re.NOFLAG}
MAX_SPACES = 200
"""Most white space between the words of a phrase at the end of a text."""


def find_phrase(text: str, phrase: str, *, whole: bool = True) -> list[Span]:
    """Return the spans of the phrase without overlap, inside longer words too unless `whole`."""
    folded, spans = fold(text)
    pattern = _pattern(phrase, ignore_case=True)
    found: list[Span] = []
    position = 0
    while (match := pattern.search(folded, position)) and match[0]:
        start, end = match.span()
        if whole and (_joined(folded, start) or _joined(folded, end)):
            position = start + 1
            continue
        found.append(original_span(spans, start, end))
        position = end
    return found


def find_inflected(text: str, phrase: str) -> list[Span]:
    """Return the spans of the phrase in any inflected form, such as "Raining" for "rains": words of the same stems."""
    folded, spans = fold(text)
    wanted = [stem(word) for word in TERM.findall(fold(phrase)[0])]
    words = list(TERM.finditer(folded))
    stems = [stem(match[0]) for match in words]
    found: list[Span] = []
    index = 0
    while wanted and index + len(wanted) <= len(words):
        last = index + len(wanted)
        if stems[index:last] == wanted:
            found.append(original_span(spans, words[index].start(), words[last - 1].end()))
            index = last
        else:
            index += 1
    return found


def phrase_at_start(text: str, phrase: str, *, ignore_case: bool = True) -> Span | None:
    """Return the span of the phrase as whole words where the text begins, white space aside, or None."""
    folded, spans = fold(text)
    match = _pattern(phrase, ignore_case=ignore_case).match(folded, len(folded) - len(folded.lstrip()))
    return original_span(spans, *match.span()) if match and not _joined(folded, match.end()) else None


def phrase_at_end(text: str, phrase: str, *, ignore_case: bool = True) -> Span | None:
    """Return the span of the phrase as whole words where the text ends, white space aside, or None."""
    folded, spans = fold(text)
    end = len(folded.rstrip())
    pattern = re.compile(rf"{_pattern(phrase, ignore_case=ignore_case).pattern}\Z", IGNORE[ignore_case])
    match = pattern.search(folded, max(end - 2 * len(phrase) - MAX_SPACES, 0), end)
    return original_span(spans, *match.span()) if match and not _joined(folded, match.start()) else None


def same_word(first: str, second: str) -> bool:
    """Return whether two words read alike, letter case ignored."""
    return plain(first).strip() == plain(second).strip()


def in_word(character: str) -> bool:
    """Return whether a word goes on with this character: a letter, digit or mark of a script with spaces."""
    word = character.isalnum() or unicodedata.category(character).startswith("M")
    return word and not UNSPACED.match(character)


def _joined(text: str, index: int) -> bool:
    """Return whether the characters on both sides of the index belong to one word."""
    return 0 < index < len(text) and in_word(text[index - 1]) and in_word(text[index])


def _pattern(phrase: str, *, ignore_case: bool) -> re.Pattern[str]:
    """Return the expression for a phrase, whose words any white space may divide."""
    words = map(re.escape, fold(phrase)[0].split())
    return re.compile(r"\s+".join(words), IGNORE[ignore_case])
