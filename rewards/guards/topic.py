"""Guard `on_topic`: detects an answer that is not about what was requested."""

import re

from rewards.embedding import similarity
from rewards.guards.languages import language_of_sentence
from rewards.topic import request_stems

UNRELATED, RELATED = -0.06, -0.01
"""Cosine of request and answer.

Below `RELATED` lie 0.5 percent of strong models' answers to IFEval's prompts, and 30 percent of answers to another one.
"""
MIN_WORDS = 8
"""Words of two letters or more that an answer needs to be judged: a vector of fewer is mostly chance."""
WORD = re.compile(r"[^\W\d_]{2,}")


def on_topic(completion: str, *, request: str) -> float:
    """Return 1 for an answer whose words lie near those of the request by meaning, 0 for one far from it.

    A request without key words, an answer of few words and one in another language than the request's are not judged:
    the value is 1, but 0 for a blank answer.
    """
    if not completion.strip():
        return 0.0
    languages = {language_of_sentence(completion), language_of_sentence(request)}
    if len(WORD.findall(completion)) < MIN_WORDS or not request_stems(request) or not languages <= {"en", None}:
        return 1.0
    return min(1.0, max(0.0, (similarity(request, completion) - UNRELATED) / (RELATED - UNRELATED)))
