"""The table of verifiers: every kind of constraint by its id, and the one way to run it."""

import difflib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from rewards.arguments import Arguments, arguments_of, complaint
from rewards.verdict import Verdict
from rewards.verifiers import (
    case,
    combination,
    content,
    format,
    keywords,
    language,
    length,
    punctuation,
    start_end,
    structured,
)

CATEGORIES = (case, combination, content, format, keywords, language, length, punctuation, start_end, structured)


@dataclass(frozen=True, kw_only=True, slots=True)
class Kind:
    """One row of the table.

    Example:
        Kind(verifier=punctuation.no_comma, arguments=arguments_of(punctuation.no_comma), reads_prompt=False)
    """

    verifier: Callable[..., Verdict]
    arguments: type[Arguments]
    reads_prompt: bool


def _kind(verifier: Callable[..., Verdict]) -> Kind:
    reads_prompt = "prompt" in inspect.signature(verifier).parameters
    return Kind(verifier=verifier, arguments=arguments_of(verifier), reads_prompt=reads_prompt)


_KINDS = {name: _kind(verifier) for category in CATEGORIES for name, verifier in category.VERIFIERS.items()}


def known_kinds() -> tuple[str, ...]:
    """The ids of all kinds, sorted."""
    return tuple(sorted(_KINDS))


def check_arguments(kind: str, kwargs: Mapping[str, Any]) -> None:
    """Raise a ValueError that says what is wrong if the kind is unknown or its arguments do not fit."""
    try:
        _look_up(kind).arguments(**kwargs)
    except ValidationError as error:
        raise ValueError(f"arguments of {kind!r} do not fit: {complaint(error)}") from None


def verify(kind: str, completion: str, /, *, prompt: str, **kwargs: Any) -> Verdict:
    """The verdict of one kind of constraint about one completion.

    A completion of white space alone satisfies nothing.

    Raises:
        ValueError: the kind is unknown, or an argument is missing, unknown or malformed.
    """
    check_arguments(kind, kwargs)
    row = _look_up(kind)
    context = {"prompt": prompt} if row.reads_prompt else {}
    verdict = row.verifier(completion, **context, **kwargs)
    if verdict.satisfied and not completion.strip():
        return Verdict(satisfied=False, margin=-1.0, evidence=((0, len(completion)),) if completion else ())
    return verdict


def _look_up(kind: str) -> Kind:
    if kind in _KINDS:
        return _KINDS[kind]
    close = difflib.get_close_matches(kind, _KINDS, n=1, cutoff=0.0)[0]
    raise ValueError(f"unknown constraint kind {kind!r}; the nearest is {close!r} (known_kinds() lists all)")
