"""Guard `no_filler`: detects sentences about the answer, the prompt or the writer instead of an answer."""

import re
from functools import lru_cache

from rewards.guards.asked import Form, asks_for

REPLY = r"(?:answer|response|reply|explanation|account|text|sentence|paragraph|essay|description|note|piece)"
GOOD = r"(?:good|best|great|helpful|decent|proper|ideal|perfect|complete)"
DISCUSS = r"(?:help|assist|answer|write|provide|fulfil|comply|go\ into|talk|speak|discuss|say)"
BEGIN = r"(?:get|turn|come|explain|describe|tell|talk|begin|start|write|go\ on|discuss|cover)"
ABOUT_THE_ANSWER = rf"""
    \ban?\ (?:\w+\ )?{GOOD}\ {REPLY} | \b(?:the|any|every)\ (?:\w+\ )?{GOOD}\ {REPLY}
    | \bhere\ (?:is|are)\ (?:an?|the|my|your|some)\b[^.!?\n]{{0,60}}\b{REPLY}
    | \breaders?\ (?:would|will|can|may)\b | \brequired\ (?:words?|phrases?)\b
    | \b(?:as|like)\ (?:you\ )?(?:requested|asked|required|instructed|told)\b"""
ABOUT_THE_TEXT = rf"""
    \b(?:this|my)\ (?:\w+\ )?{REPLY}\b | \bthe\ (?:answer|response|reply)\b
    | \b(?:the|this)\ (?:request|instructions?|constraints?|requirements?|prompt)\b
    | \byour\ (?:request|task|question|instructions?|prompt)\b"""
PROMPT_RETOLD = r"""
    \bthe\ (?:user|asker|person\ who\ asked|client)\b | \b(?:someone|they|he|she)\ (?:(?:has|have)\ )?asked\ for\b
    | \bthey\ also\ (?:want|ask|need|would\ like)\b | \byou\ (?:want|wanted|asked|would\ like)\ (?:me|to|for|a)\b"""
ROLE_LABEL = r"^\W*(?:user|assistant|human|system|ai|bot|prompt)\W*:"
REFUSAL = rf"""
    \bas\ an?\ (?:ai|assistant)\b | \bsorry\ but\ i\b | \bi(?:\ a|['\u2019])?m\ (?:happy\ to|glad\ to|here\ to)\b
    | \bi\ (?:cannot|can['\u2019]?t|could\ not|won['\u2019]?t|will\ not|am\ not\ able\ to|would\ rather\ not)\ {DISCUSS}
    | \b(?:let|leave)\ (?:us\ )?(?:leave\ )?(?:this|that|it)\ to\b | \bnot\ (?:my\ place|something\ i\ can)\b
    | \bknows?\ (?:far\ |much\ )?more\ (?:about|than)\b | \bask\ (?:me|one\ of|an?|somebody|someone)\b
    | \b(?:(?:this|that|it)\ helps|(?:happy|glad)\ to\ help|let\ me\ know|feel\ free\ to|good\ question
    |you\ are\ welcome|of\ course\W|how\ i\ can\ help)\b"""
PROMISE = rf"""
    \b(?:i\ will|i['\u2019]ll|i\ am\ going\ to|we\ will)\ (?:now\ )?{BEGIN}\b | \beverything\ will\ (?:become|be)\b
    | \bin\ a\ (?:moment|minute|second)\ (?:i|we)\b | \bfirst\ i\ (?:want|need|will)\b"""
EMPTY_TALK = r"""
    \bmany\ things\ (?:to\ say|that|one)\b | \bimportant\ to\ (?:a\ lot\ of|many|most)\ people\b
    | \b(?:different|own)\ (?:view|opinion)s?\b
    | \bsome\ (?:people\ )?(?:think|like|say|prefer)\b[^.!?\n]{0,60}\bothers?\b
    | \bwhat\ makes\ it\ (?:so\ )?(?:interesting|special)\b"""
ADVERTISEMENT = r"""
    \b(?:order|buy|shop|call|subscribe|sign\ up)\b[^.!?\n]{0,40}\b(?:today|now|here)\b | \bhalf\ price\b
    | \bour\ (?:shop|store|website|offer|experts)\b | \b(?:this|special|limited|great)\ offer\b | \bdiscount\b"""
ABOUT_THE_WRITER = re.compile(r"\b(?:i|me|my|mine|myself)\b", re.IGNORECASE)
EXPLANATION = re.compile(
    r"\b(?:explain|why|how|what\s+(?:is|are|was|were|causes)|tell\s+me\s+(?:how|why|about))\b", re.IGNORECASE
)
PERSONAL = re.compile(
    r"\b(?:i|my|mine|we|our|us|he|she|him|her|his|you|your|letters?|e-?mails?|story|stories|essay|tale|speech"
    r"|diary|journal|blog|review|opinion|character|pretend|imagine|person|persona|post|tweet|message|note|proposal|style|who)\b",
    re.IGNORECASE,
)
"""Words of a prompt whose answer may well speak of the writer."""
PATTERNS: tuple[tuple[str, tuple[Form, ...]], ...] = (
    (ABOUT_THE_ANSWER, ()),
    (ABOUT_THE_TEXT, ("copy",)),
    (PROMPT_RETOLD, ()),
    (ROLE_LABEL, ("dialogue",)),
    (REFUSAL, ()),
    (PROMISE, ("dialogue", "verse", "copy")),
    (EMPTY_TALK, ()),
    (ADVERTISEMENT, ("sale",)),
)
"""Phrases that take the place of an answer, and the requested forms in which they belong."""


UNIT = re.compile(r"[^.!?\n]+[.!?]*")
"""A sentence or a line."""


def no_filler(completion: str, *, prompt: str = "", allowed: float = 0.4) -> float:
    """Return 1 while at most `allowed` of the text is sentences that take an answer's place, 0 when all of it is.

    The value falls linearly in between. Questions after the first count, too, and in an explanation whatever the writer
    says of himself. A phrase that occurs in the prompt is no
    filler: the prompt may ask for it.
    """
    units = UNIT.findall(completion)
    if not completion.strip():
        return 0.0
    asked = frozenset(form for _, forms in PATTERNS for form in forms if asks_for(prompt, form))
    pattern, prompt_text = _pattern(asked), prompt.lower()
    impersonal = _is_impersonal(prompt)
    filler = [
        unit
        for unit in units
        if any(match[0].lower() not in prompt_text for match in pattern.finditer(unit))
        or (impersonal and ABOUT_THE_WRITER.search(unit))
    ]
    if "dialogue" not in asked:
        filler += [unit for unit in units if unit.endswith("?") and unit not in filler][1:]
    share = sum(map(len, filler)) / max(1, sum(map(len, units)))
    return min(1.0, (1 - share) / (1 - allowed))


@lru_cache(maxsize=1024)
def _is_impersonal(prompt: str) -> bool:
    """Whether a prompt asks how something is, and neither for a person nor for a form in which one speaks."""
    explains = EXPLANATION.search(prompt) and not PERSONAL.search(prompt)
    return bool(explains) and not asks_for(prompt, "dialogue", "verse", "sale", "copy", "language", "data", "symbols")


@lru_cache(maxsize=64)
def _pattern(asked: frozenset[Form]) -> re.Pattern[str]:
    used = [f"(?:{pattern})" for pattern, forms in PATTERNS if asked.isdisjoint(forms)]
    return re.compile("|".join(used), re.IGNORECASE | re.VERBOSE | re.MULTILINE)
