"""Reading: problems and pairs from files and hub datasets, every constraint checked and every bad row named."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from data.preferences import PreferencePair, pair_from_row, plain_pair_from_row
from data.problems import Problem, from_row
from data.reasoning import ReasoningTags
from data.row_formats import convert_row
from data.sources import located, read_rows
from rewards.errors import InputError
from rewards.verifiers import check_arguments, known_kinds


def read_problems(
    source: str | Path, *, split: str = "train", unreadable: list[InputError] | None = None
) -> list[Problem]:
    """Read all problems of a file (.jsonl, .json, .parquet, the first two also .gz) or of one split of a hub dataset.

    Columns are TRL's: `prompt` as text or chat messages; `problem_id, constraints, reference, task` may be missing,
    others are kept. Raises InputError for a source without rows and for a bad row, an unknown constraint kind or
    argument among them, naming file, line and what was expected; with a list `unreadable` bad rows go there instead.
    """
    problems, num_before = [], len(unreadable or ())
    for location, problem in _located_problems(source, split, unreadable):
        with located(location, unreadable):
            check_constraints(problem)
            problems.append(problem)
    _refuse_nothing(source, problems, unreadable, num_before, columns="the column 'prompt'")
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
            with located(location, None):
                check_constraints(problem)
            problems.append(problem)
    _refuse_nothing(source, problems or list(unimplemented), None, 0, columns="the column 'prompt'")
    return problems, unimplemented


def read_pairs(
    source: str | Path,
    *,
    split: str = "train",
    unreadable: list[InputError] | None = None,
    tags: ReasoningTags | None = None,
) -> list[PreferencePair]:
    """Read all preference pairs of a file or of one split of a hub dataset; bad rows are treated as in `read_problems`.

    The answers to a prompt with constraints are verified anew, behind their thoughts between `tags`; any other pair is
    taken as its row states it.
    """
    pairs, num_before = [], len(unreadable or ())
    for location, row in read_rows(source, split=split, unreadable=unreadable):
        with located(location, unreadable):
            ours = convert_row(row)
            if ours.get("constraints"):
                pairs.append(pair_from_row(ours, default_id=location, tags=tags))
            else:
                pairs.append(plain_pair_from_row(ours, default_id=location))
    _refuse_nothing(source, pairs, unreadable, num_before, columns="'prompt', 'chosen' and 'rejected'")
    return pairs


def _refuse_nothing(
    source: str | Path, read: Sequence[Any], unreadable: list[InputError] | None, num_before: int, *, columns: str
) -> None:
    """Raise InputError for a source without rows, or without one that can be read."""
    if read:
        return
    if unreadable is not None and len(unreadable) > num_before:
        raise InputError(f"{source}: no row can be read; the first is {unreadable[num_before]}")
    raise InputError(f"{source} holds no rows; expected some with at least {columns}")


def check_constraints(problem: Problem) -> None:
    """Raise InputError for a constraint that no verifier accepts."""
    for spec in problem.constraints:
        check_arguments(spec.id, spec.kwargs)


def _located_problems(
    source: str | Path, split: str, unreadable: list[InputError] | None = None
) -> Iterator[tuple[str, Problem]]:
    for location, row in read_rows(source, split=split, unreadable=unreadable):
        with located(location, unreadable):
            yield location, from_row(convert_row(row), default_id=location)
