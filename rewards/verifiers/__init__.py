"""Verifier table: every kind of constraint by its id, and the function `verify` that runs one."""

import difflib
import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

from pydantic import ValidationError

from rewards.count_verdicts import whole_text_verdict
from rewards.errors import InputError
from rewards.semantics import Semantics
from rewards.verdict import Verdict
from rewards.verifier_args import VerifierArguments, argument_error, arguments_model
from rewards.verifiers import (
    case,
    cells,
    combination,
    content,
    copying,
    feasibility,
    format,
    ifbench_format,
    ifbench_sentences,
    ifbench_tasks,
    ifbench_words,
    ifrlvr_form,
    ifrlvr_words,
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
    feasibility,
    format,
    ifbench_format,
    ifbench_sentences,
    ifbench_tasks,
    ifbench_words,
    ifrlvr_form,
    ifrlvr_words,
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

MAX_CHARACTERS = 100_000
"""Longest completion that is verified; the parsers take seconds for more, and no requested answer is as long."""


@dataclass(frozen=True, kw_only=True, slots=True)
class VerifierKind:
    """One row of the table.

    Example:
        VerifierKind(verifier=no_comma, arguments=arguments_model(no_comma), reads_prompt=False)
    """

    verifier: Callable[..., Verdict]
    arguments: type[VerifierArguments]
    reads_prompt: bool
    reads_semantics: bool = False


_CUSTOM: dict[str, VerifierKind] = {}
"""The user's kinds, known inside `custom_kinds`."""
_semantics: list[Semantics] = ["reward"]
"""The semantics in force, set inside `verifying`."""


_VERIFIERS = {name: verifier for category in CATEGORIES for name, verifier in category.VERIFIERS.items()}


def known_kinds() -> tuple[str, ...]:
    """Return the ids of all kinds, sorted."""
    return tuple(sorted((*_VERIFIERS, *_CUSTOM)))


@contextmanager
def custom_kinds(kinds: Mapping[str, VerifierKind]) -> Iterator[None]:
    """Add these kinds to the table while the block runs. Raises InputError for an id that is taken."""
    if taken := sorted(set(known_kinds()) & set(kinds)):
        raise InputError(f"constraint kinds {taken} exist already; choose other ids for your verifiers")
    _CUSTOM.update(kinds)
    try:
        yield
    finally:
        for kind in kinds:
            del _CUSTOM[kind]


def check_arguments(kind: str, kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments as the verifier takes them: 3 for 3.0.

    Raises an InputError that says what is wrong if the kind is unknown or its arguments do not fit.
    """
    try:
        checked = _kind_of(kind).arguments(**kwargs)
        return {name: getattr(checked, name) for name in kwargs}
    except ValidationError as error:
        raise InputError(f"arguments of {kind!r} do not fit: {argument_error(error)}") from None


@contextmanager
def verifying(semantics: Semantics) -> Iterator[None]:
    """Verify by these semantics while the block runs, wherever `verify` is not told others."""
    before = _semantics.copy()
    _semantics[:] = [semantics]
    try:
        yield
    finally:
        _semantics[:] = before


def verify(kind: str, completion: str, /, *, prompt: str, semantics: Semantics | None = None, **kwargs: Any) -> Verdict:
    """Return the verdict of one kind of constraint about one completion.

    The semantics are those of the `verifying` block around the call, `reward` outside of one: what the constraint's
    sentence says. Under `eval`, kinds of published benchmarks check what the benchmark's own checkers do.

    A completion of white space alone, or of more than `MAX_CHARACTERS` characters, satisfies nothing. Raises InputError
    when the kind is unknown, or an argument is missing, unknown or malformed.
    """
    arguments = check_arguments(kind, kwargs)
    row = _kind_of(kind)
    if len(completion) > MAX_CHARACTERS:
        return whole_text_verdict(completion, MAX_CHARACTERS - len(completion))
    context: dict[str, Any] = {"prompt": prompt} if row.reads_prompt else {}
    if row.reads_semantics:
        context["semantics"] = semantics or _semantics[0]
    verdict = row.verifier(completion, **context, **arguments)
    return verdict if completion.strip() or not verdict.satisfied else whole_text_verdict(completion, -1.0)


def _kind_of(kind: str) -> VerifierKind:
    if kind in _CUSTOM:
        return _CUSTOM[kind]
    if kind not in _VERIFIERS:
        close = difflib.get_close_matches(kind, known_kinds(), n=1, cutoff=0.0)[0]
        raise InputError(f"unknown constraint kind {kind!r}; the nearest is {close!r} (known_kinds() lists all)")
    return _built_in_kind(kind)


@cache
def _built_in_kind(kind: str) -> VerifierKind:
    verifier = _VERIFIERS[kind]
    parameters = inspect.signature(verifier).parameters
    return VerifierKind(
        verifier=verifier,
        arguments=arguments_model(verifier),
        reads_prompt="prompt" in parameters,
        reads_semantics="semantics" in parameters,
    )
