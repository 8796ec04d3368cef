"""NLTK tokens: the tokens of a text as NLTK's `word_tokenize` cuts them, each as a character span."""

import re
from collections.abc import Iterator
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from rewards.text import published_sentence_spans
from rewards.verdict import Span

if TYPE_CHECKING:
    from nltk.tokenize import NLTKWordTokenizer

NOT_SPACE = re.compile(r"\S")
QUOTES = ("``", "''")
"""What the tokenizer writes for a straight double quote."""
FINAL_STOP = re.compile(r"([^.])(\.)([\])}>\"' \u00bb\u201d\u2019]*)$")
"""The full stop that ends a sentence, which is a token of its own there alone."""


@lru_cache(maxsize=64)
def tokens(text: str) -> tuple[tuple[str, Span], ...]:
    """Return the tokens of a text, as NLTK writes them, and their spans."""
    return tuple(_tokens(text))


def token_spans(text: str) -> list[Span]:
    """Return the spans of the tokens of a text."""
    return [span for _, span in tokens(text)]


def _tokens(text: str) -> Iterator[tuple[str, Span]]:
    position = 0
    for token in _tokenizer().tokenize(_prepared(text)):
        match = NOT_SPACE.search(text, position)
        assert match is not None, "the tokenizer never writes more characters than it read"
        position = match.start() + (1 if token in QUOTES and match[0] == '"' else len(token))
        yield token, (match.start(), position)


def _prepared(text: str) -> str:
    """Return the text with its sentences marked for the tokenizer, which takes 0.1 ms for each that it gets alone."""
    sentences = (text[start:end] for start, end in published_sentence_spans(text))
    return " ".join(FINAL_STOP.sub(r"\1 \2 \3", sentence) for sentence in sentences)


@cache
def _tokenizer() -> "NLTKWordTokenizer":
    from nltk.tokenize import NLTKWordTokenizer  # 1.4 s: only when a token is needed

    return NLTKWordTokenizer()
