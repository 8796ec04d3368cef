"""Draft: the parts of a text, collected from its constraints one after the other."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import cycle, islice

from data.witness.lexicon import WORDS

Bounds = tuple[int, int | None]
"""The smallest and largest count; None = no upper bound."""

ANY_COUNT: Bounds = (0, None)


@dataclass(slots=True, kw_only=True)
class Draft:
    """The parts of a text before they are written."""

    # The words that may fill it.
    language: str = "en"
    banned_words: set[str] = field(default_factory=set)
    """Forbidden words, lower case."""
    banned_characters: set[str] = field(default_factory=set)
    """Forbidden characters, lower case."""
    initial: str = ""
    """The first letter of every word."""
    max_letters: int | None = None

    # The running text.
    opening: str = ""
    """The first words of the running text."""
    words: list[str] = field(default_factory=list)
    """Words for any position, each as often as it is listed."""
    sentence_endings: dict[int, list[str]] = field(default_factory=dict)
    """Sentence, from 0 (-1 = the last) -> words at its end."""
    word_positions: dict[int, str] = field(default_factory=dict)
    """Position in the text, from 1 -> word."""
    sentence_openings: dict[int, str] = field(default_factory=dict)
    """Sentence, from 0 -> first word."""
    each_opening: str = ""
    """The first word of every sentence."""
    paragraph_openings: dict[int, str] = field(default_factory=dict)
    """Paragraph, from 0 -> first word."""
    sentence_mark: str = ""
    """The mark after each sentence; empty = the first that is not banned."""
    num_questions: int = 0
    growing: bool = False
    """Every sentence has more words than the one before."""
    body_lines: list[str] = field(default_factory=list)
    """Lines that replace the running text."""

    # The parts around the running text.
    head: list[str] = field(default_factory=list)
    """Lines before the running text."""
    lines: list[str] = field(default_factory=list)
    """Lines after the running text."""
    columns: list[str] = field(default_factory=list)
    """Header of a table; empty = no table."""
    num_rows: int = 1
    cell_words: int = 1
    cell_mark: str = ""
    json: dict = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)
    """XML elements, the first one around the others."""
    attributes: Bounds = ANY_COUNT
    """Number of attributes of the first XML element, and of the others."""
    closing: str = ""
    end_mark: str = ""
    final_edits: list[Callable[[str], str]] = field(default_factory=list)
    """Edits of the whole text, in order: letter case, quotation marks."""

    # The amounts.
    sentences: Bounds = (1, None)
    num_words: Bounds = (1, None)
    characters: Bounds = ANY_COUNT
    sentence_words: Bounds = ANY_COUNT
    """Number of words of each sentence."""
    paragraphs: Bounds = (1, 1)
    paragraph_break: str = "\n\n"
    num_lines: int = 0
    item_words: int = 2
    heading_words: int = 2


def filler(draft: Draft) -> Iterator[str]:
    """Return endless words in the draft's language that nothing forbids; none if everything is forbidden."""
    return cycle([word for word in WORDS[draft.language] if allowed(draft, word)])


def allowed(draft: Draft, word: str) -> bool:
    """Return whether nothing collected so far forbids the word."""
    plain = word.lower()
    short_enough = draft.max_letters is None or len(plain) <= draft.max_letters
    free = plain not in draft.banned_words and not draft.banned_characters & set(plain)
    return short_enough and free and plain.startswith(draft.initial)


def phrase(draft: Draft, num_words: int, *, skip: int = 0) -> str:
    """Return a few filler words with a capital first letter, `skip` words into the text."""
    return " ".join(islice(filler(draft), skip, skip + num_words)).capitalize()


def titled(text: str) -> str:
    """Return the text with a capital at the start of every word."""
    return re.sub(r"(?<![\w'\u2019-])[^\W\d_]", lambda match: match[0].upper(), text)
