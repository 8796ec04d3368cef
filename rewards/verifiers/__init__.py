"""The table of verifiers: every kind of constraint by its id, and the one way to run it."""

import difflib
import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

from pydantic import ValidationError

from rewards.count_verdicts import whole_text
from rewards.verdict import Verdict
from rewards.verifier_args import Arguments, argument_error, arguments_of
from rewards.verifiers import (
    case,
    cells,
    combination,
    content,
    copying,
    format,
    json,
    keywords,
    language,
    length,
    letters,
    markdown,
    part_length,
    position,
    punctuation,
    start_end,
    table,
    xml,
)

CATEGORIES = (
    case,
    cells,
    combination,
    content,
    copying,
    format,
    json,
    keywords,
    language,
    length,
    letters,
    markdown,
    part_length,
    position,
    punctuation,
    start_end,
    table,
    xml,
)

LONGEST_COMPLETION = 100_000
"""Characters; the sentence and Markdown parsers take seconds for more, and no answer asked for is as long."""


@dataclass(frozen=True, kw_only=True, slots=True)
class VerifierKind:
    """One row of the table.

    Example:
        Kind(verifier=punctuation.no_comma, arguments=arguments_of(punctuation.no_comma), reads_prompt=False)
    """

    verifier: Callable[..., Verdict]
    arguments: type[Arguments]
    reads_prompt: bool


_FURTHER: dict[str, VerifierKind] = {}
"""Kinds of the user, known inside `further_kinds`."""


_VERIFIERS = {name: verifier for category in CATEGORIES for name, verifier in category.VERIFIERS.items()}


def known_kinds() -> tuple[str, ...]:
    """The ids of all kinds, sorted."""
    return tuple(sorted((*_VERIFIERS, *_FURTHER)))


@contextmanager
def further_kinds(kinds: Mapping[str, VerifierKind]) -> Iterator[None]:
    """Know these kinds as well while the block runs. Raises ValueError for an id that is taken."""
    if taken := sorted(set(known_kinds()) & set(kinds)):
        raise ValueError(f"constraint kinds {taken} exist already; give yours ids of their own")
    _FURTHER.update(kinds)
    try:
        yield
    finally:
        for kind in kinds:
            del _FURTHER[kind]


def check_arguments(kind: str, kwargs: Mapping[str, Any]) -> None:
    """Raise a ValueError that says what is wrong if the kind is unknown or its arguments do not fit."""
    try:
        _look_up(kind).arguments(**kwargs)
    except ValidationError as error:
        raise ValueError(f"arguments of {kind!r} do not fit: {argument_error(error)}") from None


def verify(kind: str, completion: str, /, *, prompt: str, **kwargs: Any) -> Verdict:
    """The verdict of one kind of constraint about one completion.

    A completion of white space alone, or of more than `LONGEST_COMPLETION` characters, satisfies nothing.

    Raises:
        ValueError: the kind is unknown, or an argument is missing, unknown or malformed.
    """
    check_arguments(kind, kwargs)
    row = _look_up(kind)
    if len(completion) > LONGEST_COMPLETION:
        return whole_text(completion, LONGEST_COMPLETION - len(completion))
    context = {"prompt": prompt} if row.reads_prompt else {}
    verdict = row.verifier(completion, **context, **kwargs)
    return verdict if completion.strip() or not verdict.satisfied else whole_text(completion, -1.0)


def _look_up(kind: str) -> VerifierKind:
    if kind in _FURTHER:
        return _FURTHER[kind]
    if kind not in _VERIFIERS:
        close = difflib.get_close_matches(kind, known_kinds(), n=1, cutoff=0.0)[0]
        raise ValueError(f"unknown constraint kind {kind!r}; the nearest is {close!r} (known_kinds() lists all)")
    return _row(kind)


@cache
def _row(kind: str) -> VerifierKind:
    verifier = _VERIFIERS[kind]
    reads_prompt = "prompt" in inspect.signature(verifier).parameters
    return VerifierKind(verifier=verifier, arguments=arguments_of(verifier), reads_prompt=reads_prompt)
