"""NLTK tokens: the tokens of a text as NLTK's `word_tokenize` cuts them, each as a character span."""

import re
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from rewards.text import sentence_spans
from rewards.verdict import Span

if TYPE_CHECKING:
    from nltk.tokenize import NLTKWordTokenizer

NOT_SPACE = re.compile(r"\S")
QUOTES = ("``", "''")
"""What the tokenizer writes for a straight double quote."""


@lru_cache(maxsize=64)
def token_spans(text: str) -> tuple[Span, ...]:
    """Return the spans of the tokens of a text, sentence by sentence."""
    return tuple(span for sentence in sentence_spans(text) for span in _tokens_of(text, sentence))


def _tokens_of(text: str, sentence: Span) -> list[Span]:
    position, end = sentence
    spans = []
    for token in _tokenizer().tokenize(text[position:end]):
        match = NOT_SPACE.search(text, position, end)
        assert match is not None, "the tokenizer never writes more characters than it read"
        position = match.start() + (1 if token in QUOTES and match[0] == '"' else len(token))
        spans.append((match.start(), position))
    return spans


@cache
def _tokenizer() -> "NLTKWordTokenizer":
    from nltk.tokenize import NLTKWordTokenizer  # 1.4 s: only when a token is needed

    return NLTKWordTokenizer()
