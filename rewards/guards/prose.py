"""Guard `prose`: detects text that is not running text in the language and the form that the prompt asks for."""

import re
from functools import lru_cache

from rewards.embedding import MAX_CHARACTERS, num_pieces
from rewards.guards.asked import asks_for
from rewards.guards.languages import language_of_sentence, script_of
from rewards.text import TERM
from rewards.topic import FUNCTION_WORDS, REQUEST_WORDS

MIN_SHARE, MAX_SHARE = 0.2, 0.75
"""Share of function words in English running text: 0.4 to 0.5, less in lists."""
MAX_RUN = 6
"""Most words in a row without a function word or a mark; more make a word list."""
ALLOWED = 0.1
"""Share of words in longer rows, and of unfinished sentences, that is allowed."""
ALLOWED_NEIGHBOURS = 0.05
"""Share of impossible neighbours that is allowed."""
LEAST_PIECE, WHOLE_PIECE = 2.4, 2.9
"""Letters per token of the words of a text: 4 to 5 in English, about 2.3 in invented words."""
MIN_OWN = 5
"""Different function words of English that make a text English where the prompt asks for some language."""
MIN_JUDGED = 12
"""Words that a text needs for its invented words, and for its repeated function word, to be judged."""


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
GRAMMAR = FUNCTION_WORDS | ARTICLES | _words("one another every many much few all")
PIECE = re.compile(rf"{TERM.pattern}|[.!?](?=\s|$)|\n|[^\w\s]")
SENTENCE_ENDS = frozenset(".!?")
SENTENCE = re.compile(r"[^.!?\n]+")
CODE = re.compile(r"(```|~~~).*?(?:\1|\Z)|`[^`\n]+`|https?://\S+", re.DOTALL)
FENCE_MARK = re.compile(r"^(?:```|~~~)\w*$|`[^`\n]+`|https?://\S+", re.MULTILINE)


def prose(completion: str, *, prompt: str = "") -> float:
    """Return 1 for running text in the prompt's language, less for word lists, word salad and foreign text.

    Where the prompt asks for a list, data or code, that need not be running text. English is judged by its function
    words, their neighbours and its spelling; of other languages only that they are the prompt's.
    """
    text = (CODE if asks_for(prompt, "data") else FENCE_MARK).sub(" ", completion)
    if not text.strip():
        return float(bool(completion.strip()))
    if asks_for(prompt, "language"):
        return _english(_latin_part(text), prompt) if _is_surely_english(text) else 1.0
    language, same_language = language_of_sentence(text) or _likely_language(text, prompt), _same_language(text, prompt)
    return min(same_language, _english(text, prompt)) if language == "en" else same_language


def _is_surely_english(text: str) -> bool:
    """Whether a text in whatever language a prompt asks for is English: "on", "he" and "me" are Finnish words, too."""
    own = FUNCTION_WORDS.intersection(word.lower() for word in TERM.findall(text))
    return language_of_sentence(text) == "en" and len(own) >= MIN_OWN


def _latin_part(text: str) -> str:
    """Return a text without its lines in other alphabets, which cannot be judged as English."""
    lines = text.splitlines(keepends=True)
    return text if text.isascii() else "".join(line for line in lines if script_of(line) in ("LATIN", None))


def _likely_language(text: str, prompt: str) -> str | None:
    """Return "en" for a text that no language claims, to an English prompt that asks for no other one."""
    english = language_of_prompt(prompt) == "en" and not asks_for(prompt, "language")
    return "en" if english and script_of(text) in ("LATIN", None) else None


@lru_cache(maxsize=1024)
def language_of_prompt(prompt: str) -> str | None:
    """Return the language of a prompt, of which a single word may tell; English if there is no prompt."""
    asks_in_english = not prompt or not REQUEST_WORDS.isdisjoint(prompt.lower().split())
    return language_of_sentence(prompt, min_words=1) or ("en" if asks_in_english else None)


def _english(text: str, prompt: str) -> float:
    pieces = PIECE.findall(text)
    words = [piece.lower() for piece in pieces if piece[0].isalnum()]
    if asks_for(prompt, "data", "symbols"):
        return _rows(pieces)
    if not words or asks_for(prompt, "short"):
        return _rows(pieces) if words else float(asks_for(prompt, "items"))
    value = min(_rows(pieces), _order(pieces), _endings(text))
    return value if asks_for(prompt, "items", "verse") else min(value, _share(words), _spelling(text))


def _share(words: list[str]) -> float:
    """Return 1 while the share of function words is that of English, and no single one is most of them."""
    grammar = [word for word in words if word in FUNCTION_WORDS]
    share = len(grammar) / len(words)
    value = min(1.0, share / MIN_SHARE, (1 - share) / (1 - MAX_SHARE))
    most = max(map(grammar.count, set(grammar)), default=0)
    return min(value, 2 * (1 - most / len(grammar))) if len(words) >= MIN_JUDGED and most >= 5 else value


def _rows(pieces: list[str]) -> float:
    """Return 1 while few words stand in long rows without a function word, a mark or a line break between them."""
    rows, length = [], 0
    for piece in [*pieces, "."]:
        if piece[0].isalnum() and piece.lower() not in GRAMMAR:
            length += 1
        else:
            rows.append(length)
            length = 0
    in_long_rows = sum(row for row in rows if row > MAX_RUN) / max(1, sum(piece[0].isalnum() for piece in pieces))
    return 1.0 - max(0.0, in_long_rows - ALLOWED) / (1 - ALLOWED)


def _endings(text: str) -> float:
    """Return 1 while few sentences end with a word that cannot end one."""
    sentences = [words for match in SENTENCE.finditer(text) if (words := TERM.findall(match[0]))]
    unfinished = sum(len(words) > 2 and words[-1].lower() in NEVER_LAST for words in sentences)
    return max(0.0, 1.0 - 2 * max(0.0, unfinished / max(1, len(sentences)) - ALLOWED))


def _spelling(text: str) -> float:
    """Return 1 for words that a tokenizer of English knows whole or in large pieces, 0 for invented ones."""
    terms = TERM.findall(text[:MAX_CHARACTERS])
    words = [word[:30] for word in terms if word.islower() and len(word) > 3 and word not in FUNCTION_WORDS]
    if len(words) < MIN_JUDGED // 2:
        return 1.0
    size = sum(map(len, words)) / sum(map(num_pieces, words))
    return min(1.0, max(0.0, (size - LEAST_PIECE) / (WHOLE_PIECE - LEAST_PIECE)))


def _order(pieces: list[str]) -> float:
    """Return 1 while at most `ALLOWED_NEIGHBOURS` of the neighbouring words are impossible, less above.

    The second of two neighbours is compared as written: "the US" and "the IT crowd" do not count as an article before
    a pronoun.
    """
    has_capitals = any(not piece.islower() for piece in pieces if piece[0].isalpha())
    grammar_words = FUNCTION_WORDS | SENTENCE_ENDS if has_capitals else FUNCTION_WORDS
    pairs = [pair for pair in zip(pieces, [*pieces, "."][1:], strict=True) if pair[0].lower() in grammar_words]
    impossible = sum(_is_impossible(first.lower(), second) for first, second in pairs) / max(1, len(pairs))
    return max(0.0, 1.0 - 2 * max(0.0, impossible - ALLOWED_NEIGHBOURS))


def _is_impossible(first: str, second: str) -> bool:
    if first in SENTENCE_ENDS:
        return second.islower()
    return (first, second) in IMPOSSIBLE or (second in SENTENCE_ENDS and first in NEVER_LAST)


@lru_cache(maxsize=64)
def _same_language(text: str, prompt: str) -> float:
    """Return 1 while at most a quarter of the text is plainly in a language that the prompt is not in, 0 from half."""
    if language_of_prompt(prompt) is None:
        return 1.0
    expected = {language_of_prompt(prompt), *(language_of_sentence(match[0]) for match in SENTENCE.finditer(prompt))}
    sizes = [(len(match[0]), language_of_sentence(match[0])) for match in SENTENCE.finditer(text)]
    foreign = sum(size for size, language in sizes if language and language not in expected)
    return min(1.0, max(0.0, 2.0 - 4.0 * foreign / max(1, sum(size for size, _ in sizes))))
