"""Literals: columns whose text is JSON or a Python literal, read without evaluating anything."""

import ast
import json
from typing import Any

from rewards.errors import InputError

MAX_CHARACTERS = 100_000
MAX_DEPTH = 50
"""Most brackets open at once; Python's parser takes memory for each."""


def read_literal(text: str) -> Any:
    """Return the value of a text in JSON, or in Python's own notation (`None`, `'single quotes'`).

    Raises InputError for a text that is neither, is longer than `MAX_CHARACTERS`, or nests deeper than `MAX_DEPTH`.
    """
    if len(text) > MAX_CHARACTERS or _depth(text) > MAX_DEPTH:
        raise InputError(
            f"is longer than {MAX_CHARACTERS} characters, or nests deeper than {MAX_DEPTH}; got {text!r:.60}"
        )
    try:
        return json.loads(text)
    except ValueError:
        pass
    try:
        return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError) as error:
        raise InputError(f"is neither JSON nor a Python literal; got {text!r:.100}") from error


def _depth(text: str) -> int:
    """Return a bound of how deep a text nests: brackets inside its strings count, too."""
    depth = deepest = 0
    for character in text:
        depth += (character in "([{") - (character in ")]}")
        deepest = max(deepest, depth)
    return deepest
