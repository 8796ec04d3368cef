"""Reading: problems from files and hub datasets, with every constraint checked and every bad row named."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from data.problems import Problem, from_row
from data.row_formats import convert_row
from data.sources import read_rows
from rewards.errors import InputError
from rewards.verifiers import check_arguments, known_kinds


def read_problems(source: str | Path, *, split: str = "train") -> list[Problem]:
    """Read all problems of a file (.jsonl, .json, .parquet, the first two also .gz) or of one split of a hub dataset.

    Columns are TRL's: `prompt` as text or chat messages; `problem_id, constraints, reference, task` may be missing,
    others are kept. Raises InputError for a bad row, naming file, line and what was expected, for an unknown
    constraint kind or argument, and for a source without rows.
    """
    problems = []
    for location, problem in _located_problems(source, split):
        _check_constraints(location, problem)
        problems.append(problem)
    return problems


def read_implemented(source: str | Path, *, split: str = "train") -> tuple[list[Problem], Counter[str]]:
    """Read the problems whose kinds all have a verifier, and count each unimplemented kind in the others.

    For benchmarks such as IFBench; otherwise like `read_problems`.
    """
    problems, unimplemented = [], Counter[str]()
    for location, problem in _located_problems(source, split):
        unknown = [spec.id for spec in problem.constraints if spec.id not in known_kinds()]
        unimplemented.update(unknown)
        if not unknown:
            _check_constraints(location, problem)
            problems.append(problem)
    return problems, unimplemented


def _check_constraints(location: str, problem: Problem) -> None:
    """Raise an InputError that names the row of a constraint no verifier accepts."""
    try:
        for spec in problem.constraints:
            check_arguments(spec.id, spec.kwargs)
    except ValueError as error:
        raise InputError(f"{location}: {error}") from error


def _located_problems(source: str | Path, split: str) -> Iterator[tuple[str, Problem]]:
    location = None
    for location, row in read_rows(source, split=split):
        try:
            problem = from_row(convert_row(row), default_id=location)
        except ValueError as error:
            raise InputError(f"{location}: {error}") from error
        yield location, problem
    if location is None:
        raise InputError(f"{source} holds no problems; expected rows with at least the column 'prompt'")
