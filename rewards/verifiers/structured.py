"""Structured text: JSON and XML."""

import json

from rewards.relations import whole_text
from rewards.verdict import Verdict


def json_format(completion: str) -> Verdict:
    """The whole text is JSON, bare or in a code fence. Margin 0 or -1. (IFEval)"""
    text = completion.strip()
    for fence in ("```json", "```Json", "```JSON", "```"):
        text = text.removeprefix(fence)
    return whole_text(completion, 0.0 if _is_json(text.removesuffix("```").strip()) else -1.0)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):  # the parser's two ways to refuse a text
        return False
    return True


VERIFIERS = {"detectable_format:json_format": json_format}
