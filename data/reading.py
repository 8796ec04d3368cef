"""Reading: problems from files and hub datasets, every kind and argument checked, each bad row named by its place."""

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from data.problems import Problem, from_row
from data.row_formats import adapt
from data.sources import read_rows
from rewards.errors import InputError
from rewards.verifiers import check_arguments, known_kinds


def read_problems(source: str | Path, *, split: str = "train") -> list[Problem]:
    """All problems of a file (.jsonl, .json, .parquet, the first two also .gz) or of one split of a hub dataset.

    Columns are TRL's: `prompt` as text or chat messages; `problem_id, constraints, reference, task` may be missing,
    others are kept. Raises InputError for a bad row, naming file, line and what was expected, for an unknown
    constraint kind or argument, and for a source without rows.
    """
    return [problem for place, problem in _placed(source, split) if _checked(place, problem)]


def read_implemented(source: str | Path, *, split: str = "train") -> tuple[list[Problem], Counter[str]]:
    """Problems whose kinds all have a verifier, and how often each unimplemented kind occurs in the others.

    For benchmarks such as IFBench; otherwise as `read_problems`.
    """
    problems, unimplemented = [], Counter[str]()
    for place, problem in _placed(source, split):
        unknown = [spec.id for spec in problem.constraints if spec.id not in known_kinds()]
        unimplemented.update(unknown)
        if not unknown and _checked(place, problem):
            problems.append(problem)
    return problems, unimplemented


def _checked(place: str, problem: Problem) -> bool:
    """True, or a ValueError that names the place of a constraint no verifier takes."""
    try:
        for spec in problem.constraints:
            check_arguments(spec.id, spec.kwargs)
    except ValueError as error:
        raise InputError(f"{place}: {error}") from error
    return True


def _placed(source: str | Path, split: str) -> Iterator[tuple[str, Problem]]:
    place = None
    for place, row in read_rows(source, split=split):
        try:
            if not isinstance(row, Mapping):
                raise InputError(f"expected a JSON object with at least 'prompt'; got {row!r}")
            problem = from_row(adapt(row), default_id=place)
        except ValueError as error:
            raise InputError(f"{place}: {error}") from error
        yield place, problem
    if place is None:
        raise InputError(f"{source} holds no problems; expected rows with at least the column 'prompt'")
