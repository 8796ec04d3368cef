"""Drafts: an answer as parts that constraints ask for, and the text those parts make."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import cycle, islice

from data.lexicon import WORDS

Bounds = tuple[int, int | None]
"""The least and the greatest count, None = no greatest."""


@dataclass(slots=True, kw_only=True)
class Draft:
    """What an answer needs, collected from its constraints one after the other."""

    language: str = "en"
    opening: str = ""
    """The first words of the text."""
    head: list[str] = field(default_factory=list)
    """Lines before the running text."""
    words: list[str] = field(default_factory=list)
    """Words the running text has to use, each as often as it is listed."""
    lines: list[str] = field(default_factory=list)
    """Lines after the running text."""
    closing: str = ""
    end_mark: str = ""
    banned_words: set[str] = field(default_factory=set)
    """Lower case."""
    banned_characters: set[str] = field(default_factory=set)
    """Lower case."""
    sentences: Bounds = (1, None)
    num_words: Bounds = (1, None)
    paragraphs: Bounds = (1, 1)
    paragraph_break: str = "\n\n"
    paragraph_openings: dict[int, str] = field(default_factory=dict)
    """Paragraph number, from 0 -> its first word."""
    finish: list[Callable[[str], str]] = field(default_factory=list)
    """What is done to the whole text at last, in order: letter case, quotation marks."""


def write(draft: Draft, *, num_sentences: int, num_filler: int) -> str:
    """The draft as text, with `num_filler` words of no meaning shared among `num_sentences` sentences."""
    text = "\n".join(part for part in (*draft.head, _body(draft, num_sentences, num_filler), *draft.lines) if part)
    text = f"{text} {draft.closing}".strip()
    if draft.end_mark and not text.endswith(draft.end_mark):
        text = text.rstrip(".!?") + draft.end_mark
    for finish in draft.finish:
        text = finish(text)
    return text


def filler(draft: Draft) -> Iterator[str]:
    """Endless words in the draft's language without banned words and characters; none if all are banned."""
    kept = [
        word
        for word in WORDS[draft.language]
        if word.lower() not in draft.banned_words and not draft.banned_characters & set(word.lower())
    ]
    return cycle(kept)


def _body(draft: Draft, num_sentences: int, num_filler: int) -> str:
    num_paragraphs = max(draft.paragraphs[0], 1)
    num_sentences = max(num_sentences, num_paragraphs)
    words, source = _dealt(draft.words, num_sentences), filler(draft)
    sentences = []
    for number in range(num_sentences):
        share = num_filler * (number + 1) // num_sentences - num_filler * number // num_sentences
        sentences.append([*islice(source, share), *words[number]])
    cuts = [num_sentences * number // num_paragraphs for number in range(num_paragraphs + 1)]
    paragraphs = [
        _paragraph(draft, number, sentences[cuts[number] : cuts[number + 1]]) for number in range(num_paragraphs)
    ]
    return draft.paragraph_break.join(paragraphs)


def _dealt(words: list[str], hands: int) -> list[list[str]]:
    return [words[hand::hands] for hand in range(hands)]


def _paragraph(draft: Draft, number: int, sentences: list[list[str]]) -> str:
    mark = next((mark for mark in ".!?" if mark not in draft.banned_characters), "")
    opening = draft.opening if number == 0 and draft.opening else draft.paragraph_openings.get(number, "")
    if opening:
        sentences = [[opening, *sentences[0]], *sentences[1:]]
    return " ".join(f"{_capitalised(' '.join(words))}{mark}" for words in sentences if words)


def _capitalised(text: str) -> str:
    return text[:1].upper() + text[1:]
