"""Guard `no_filler`: detects sentences about the answer, its rules or the model instead of an answer."""

import re

from rewards.text import sentence_spans

FILLER = re.compile(
    r"""
    \bas\ an?\ (?:ai|assistant)\b | \blanguage\ model\b
    | \bi\ (?:cannot|can['\u2019]?t|could\ not|won['\u2019]?t)\ (?:help|assist|answer|write|provide|do|fulfil|comply)
    | \bi(?:\ a|['\u2019])?m\ (?:sorry|unable|afraid|happy\ to|glad\ to|here\ to)
    | \b(?:(?:this|that|it)\ helps | (?:happy|glad)\ to\ help | let\ me\ know | feel\ free\ to | good\ question)\b
    | \bhere\ (?:is|are)\ (?:an?|the|my|your|some)\b[^.!?]{0,40}\b(?:answer|response|text|sentence|paragraph|reply)
    | \b(?:this|my|the)\ (?:answer|response|text|sentence|paragraph|reply)\b
    | \b(?:as|like)\ (?:you\ )?(?:requested|asked|required|instructed)\b
    | \b(?:request|instruction|constraint|requirement|word\ count|keyword|required\ (?:word|phrase))s?\b
    """,
    re.IGNORECASE | re.VERBOSE,
)
"""Phrases of a text that talks about itself."""


def no_filler(completion: str, *, prompt: str = "", allowed: float = 0.25) -> float:
    """Return 1 while at most `allowed` of the sentences hold a phrase about the answer itself, 0 when all do.

    The value falls linearly in between. A phrase that occurs in the prompt is no filler: the prompt may ask for it.
    """
    sentences = [completion[start:end] for start, end in sentence_spans(completion)]
    prompt_text = prompt.lower()
    num_filler = sum(any(match[0].lower() not in prompt_text for match in FILLER.finditer(text)) for text in sentences)
    return min(1.0, (1 - num_filler / len(sentences)) / (1 - allowed)) if sentences else 0.0
