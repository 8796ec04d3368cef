"""Guard `prose`: detects text that is not running English, by the share and the neighbours of its function words."""

import re

from rewards.text import TERM
from rewards.topic import FUNCTION_WORDS

MIN_SHARE, MAX_SHARE = 0.2, 0.75
"""Share of function words in English running text: 0.4 to 0.5, less in lists."""
ALLOWED = 0.05
"""Share of impossible neighbours allowed.

Measured on the prompts of GSM8K, IFEval and MulDimIF, `prose` is then below 1 for 1 to 8 percent of them as written
(mean 0.996 to 0.999), and for 99 percent with their words shuffled (mean 0.62 to 0.67).
"""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


ARTICLES = _words("a an the my your our their every")
PREPOSITIONS = _words("of from with into at for by in on to")
CONJUNCTIONS = _words("and or but nor than because if as")
VERBS = _words("is are was were be been am has have had do does did")
MODALS = _words("can could will would should may might must shall")
SUBJECTS = _words("i he she we they")
OBJECTS = _words("him them")

IMPOSSIBLE_SETS: tuple[tuple[frozenset[str], frozenset[str]], ...] = (
    (ARTICLES, ARTICLES | PREPOSITIONS | CONJUNCTIONS | VERBS | MODALS | SUBJECTS | OBJECTS),
    (ARTICLES, _words("you it its this these those that which who not there then")),
    (PREPOSITIONS, SUBJECTS | MODALS | _words("and or but of is are was were be been am did does")),
    (CONJUNCTIONS - {"as"}, _words("and or but than") | (VERBS & _words("is are was were been am"))),
    (_words("is are was were"), MODALS | OBJECTS | VERBS - {"been"}),
    (_words("has have had"), MODALS | _words("is are was were be am do does did of and or")),
    (MODALS, PREPOSITIONS | _words("is are was were am has had does did been and or")),
    (SUBJECTS, SUBJECTS | OBJECTS | ARTICLES | _words("of this these those it")),
)
"""Pairs of word sets: no word of the second stands directly behind a word of the first."""
NEVER_LAST = ARTICLES | _words("of from into and or but nor than because if as")
"""Words that never end a sentence."""
IMPOSSIBLE = frozenset((first, second) for firsts, seconds in IMPOSSIBLE_SETS for first in firsts for second in seconds)
PIECE = re.compile(rf"{TERM.pattern}|[.!?](?=\s|$)|[^\w\s]")
SENTENCE_ENDS = frozenset(".!?")


def prose(completion: str) -> float:
    """Return 1 for running English, less when function words are too few, too many, or in impossible positions."""
    pieces = PIECE.findall(completion)
    words = [piece.lower() for piece in pieces if piece[0].isalnum()]
    share = sum(word in FUNCTION_WORDS for word in words) / max(1, len(words))
    return min(1.0, share / MIN_SHARE, (1 - share) / (1 - MAX_SHARE), _order(pieces))


def _order(pieces: list[str]) -> float:
    """Return 1 while at most `ALLOWED` of the neighbouring words are impossible, less above.

    The second of two neighbours is compared as written: "the US" and "the IT crowd" do not count as an article before
    a pronoun.
    """
    has_capitals = any(not piece.islower() for piece in pieces if piece[0].isalpha())
    grammar_words = FUNCTION_WORDS | SENTENCE_ENDS if has_capitals else FUNCTION_WORDS
    pairs = [pair for pair in zip(pieces, [*pieces, "."][1:], strict=True) if pair[0].lower() in grammar_words]
    impossible = sum(_is_impossible(first.lower(), second) for first, second in pairs) / max(1, len(pairs))
    return max(0.0, 1.0 - 2 * max(0.0, impossible - ALLOWED))


def _is_impossible(first: str, second: str) -> bool:
    if first in SENTENCE_ENDS:
        return second.islower()
    return (first, second) in IMPOSSIBLE or (second in SENTENCE_ENDS and first in NEVER_LAST)
