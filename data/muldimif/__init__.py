"""MulDimIF reader: its prompts as problems, and a list of the texts that cannot be read (arXiv 2505.07591)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data.muldimif.reading import Reading
from data.muldimif.triples import read_triple
from data.problems import Constraint, ConstraintSpec, Problem
from data.sources import located, read_rows
from rewards.errors import InputError
from rewards.verdict import Span
from rewards.verifiers import known_kinds

Triple = tuple[str, str, str]
"""Category, subtype, text."""


@dataclass(frozen=True, kw_only=True, slots=True)
class UnreadTriple:
    """A text that cannot be read, and why.

    Example:
        UnreadTriple(problem_id="12", triple=("Format", "Blurb", "resembling a short blurb"), reason="no verifier")
    """

    problem_id: str
    triple: Triple
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class MulDimIF:
    """The contents of a file: problems whose texts were all read, and the texts that exclude the others."""

    problems: tuple[Problem, ...]
    unread: tuple[UnreadTriple, ...]
    num_weaker: int
    """Number of texts, among the problems, that require more than their constraints do."""


def read_muldimif(source: str | Path) -> MulDimIF:
    """Read MulDimIF's own JSON; a row of another format is an InputError with its location."""
    problems, unread, num_weaker = [], [], 0
    for location, row in read_rows(source):
        with located(location, None):
            problem, missing = read_row(row)
        unread += missing
        if not missing:
            problems.append(problem)
            num_weaker += sum(read_triple(*triple).weaker for triple in _triples(row))
    return MulDimIF(problems=tuple(problems), unread=tuple(unread), num_weaker=num_weaker)


def read_row(row: Mapping[str, Any]) -> tuple[Problem, list[UnreadTriple]]:
    """Return a row as a problem, and its texts that cannot be read, which the problem lacks.

    Raises InputError for a row of another format.
    """
    try:
        triples = _triples(row)
        readings = [read_triple(*triple) for triple in triples]
        missing = [_unread(row, triple, reading) for triple, reading in zip(triples, readings, strict=True)]
        known = [pair for pair, one in zip(zip(triples, readings, strict=True), missing, strict=True) if one is None]
        return _problem(row, known), [item for item in missing if item is not None]
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"expected a MulDimIF row (id, conversations, constraints); {error!r}") from error


def _triples(row: Mapping[str, Any]) -> list[Triple]:
    return [(category, subtype, text) for category, subtype, text in row["constraints"]]


def _unread(row: Mapping[str, Any], triple: Triple, reading: Reading) -> UnreadTriple | None:
    unknown = [kind for kind, _ in reading.rules if kind not in known_kinds()]
    reason = f"no verifier {unknown[0]!r}" if unknown else reading.reason
    return None if reason is None else UnreadTriple(problem_id=str(row["id"]), triple=triple, reason=reason)


def _problem(row: Mapping[str, Any], known: Sequence[tuple[Triple, Reading]]) -> Problem:
    messages = tuple({"role": turn["role"], "content": turn["content"]} for turn in row["conversations"])
    content = messages[-1]["content"]
    specs = [_spec(rule, text, content) for (_, _, text), reading in known for rule in reading.rules]
    return Problem(
        problem_id=str(row["id"]),
        messages=messages,
        constraints=tuple(spec for index, spec in enumerate(specs) if spec not in specs[:index]),
        task="muldimif",
        extras={"pattern": row["constraint_pattern"].lower(), "level": int(row["difficulty"].split()[-1])},
    )


def _spec(rule: Constraint, text: str, content: str) -> ConstraintSpec:
    kind, kwargs = rule
    return ConstraintSpec(id=kind, kwargs=kwargs, text=text, spans=_last_span(text, content))


def _last_span(text: str, content: str) -> tuple[Span, ...]:
    """Return the span where the text occurs last, after the examples; none if it is reworded.

    Letter case and the final full stop are ignored.
    """
    stated = text.strip().rstrip(".")
    start = content.lower().rfind(stated.lower())
    return ((start, start + len(stated)),) if start >= 0 else ()
