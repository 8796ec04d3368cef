"""Benchmarks: published test sets by name: where their data lies, under which licence, and the problems in them."""

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from data.benchmarks.judging import Judge, judge_books, judge_constraints, judge_number, judge_solution, judge_strictly
from data.benchmarks.questions import book_problem, number_problem
from data.muldimif import read_row
from data.problems import Problem, from_row
from data.reading import check_constraints
from data.row_formats import convert_row
from data.sources import located, read_rows
from rewards.errors import InputError
from rewards.verifiers import known_kinds

FOLDER = "HEED_BENCHMARK_DATA"
"""Environment variable: the folder in which the files of `Benchmark.file` lie."""

Row = Mapping[str, Any]
Read = Callable[[Row, str], tuple[Problem, list[str]]]
"""A row and its location -> the problem, and the name of each of its constraints that no verifier checks."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Benchmark:
    """A test set: its data, which is not part of Heed, and how its answers are judged."""

    name: str
    file: str
    """Below the folder that `HEED_BENCHMARK_DATA` names."""
    hub: str
    """The data set on the Hugging Face hub, with its config behind a colon if it has several."""
    split: str
    licence: str
    """Of the data, as its publisher states it."""
    read: Read
    judge: Judge
    groups: tuple[str, ...] = ()
    """Columns of its problems by which its paper reports results, too."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BenchmarkSet:
    """The problems of a benchmark that can be judged, and what the others lack."""

    problems: tuple[Problem, ...]
    total: int
    """Problems in the file."""
    unimplemented: Counter[str] = field(default_factory=Counter)
    """How often each constraint that no verifier checks excludes a problem."""


def _read_constraints(row: Row, location: str) -> tuple[Problem, list[str]]:
    problem = from_row(convert_row(row), default_id=location)
    unknown = [spec.id for spec in problem.constraints if spec.id not in known_kinds()]
    if not unknown:
        check_constraints(problem)
    return problem, unknown


def _read_muldimif(row: Row, location: str) -> tuple[Problem, list[str]]:
    problem, missing = read_row(row)
    return problem, [" ".join(item.triple[:2]) for item in missing]


def _read_solution(row: Row, location: str) -> tuple[Problem, list[str]]:
    problem, unknown = _read_constraints(row, location)
    return replace(problem, extras={**problem.extras, "problem": problem.task}), unknown


BENCHMARKS = {
    one.name: one
    for one in (
        Benchmark(
            name="ifeval",
            file="ifeval/input_data.jsonl",
            hub="google/IFEval",
            split="train",
            licence="Apache-2.0",
            read=_read_constraints,
            judge=judge_constraints,
        ),
        Benchmark(
            name="ifbench",
            file="ifbench/IFBench_test.jsonl",
            hub="allenai/IFBench_test",
            split="train",
            licence="ODC-BY-1.0",
            read=_read_constraints,
            judge=judge_constraints,
        ),
        Benchmark(
            name="muldimif",
            file="muldimif/test.json.gz",
            hub="Junjie-Ye/MulDimIF",
            split="test",
            licence="Apache-2.0",
            read=_read_muldimif,
            judge=judge_strictly,
            groups=("level", "pattern"),
        ),
        Benchmark(
            name="gsm8k",
            file="gsm8k/test.jsonl.gz",
            hub="openai/gsm8k:main",
            split="test",
            licence="MIT",
            read=lambda row, location: (number_problem(row, location), []),
            judge=judge_number,
        ),
        Benchmark(
            name="kitab",
            file="kitab/one-book-constraints.jsonl",
            hub="microsoft/kitab:one-book-constraints",
            split="test",
            licence="MIT",
            read=lambda row, location: (book_problem(row, location), []),
            judge=judge_books,
            groups=("constraint_type",),
        ),
        Benchmark(
            name="combinatorial",
            file="combinatorial.jsonl",
            hub="",
            split="train",
            licence="of your own",
            read=_read_solution,
            judge=judge_solution,
            groups=("problem",),
        ),
    )
}


def find_benchmark(name: str) -> Benchmark:
    """Return a benchmark by name; any other name is a file of prompts with constraints, judged as IFEval's are."""
    if name in BENCHMARKS:
        return BENCHMARKS[name]
    if not Path(name).suffix:
        raise InputError(f"no benchmark {name!r}; it must be one of {', '.join(BENCHMARKS)}, or a file of prompts")
    return Benchmark(
        name=Path(name).name.partition(".")[0],
        file=name,
        hub="",
        split="train",
        licence="of your own",
        read=_read_constraints,
        judge=judge_constraints,
    )


def benchmark_source(benchmark: Benchmark, data: str | None = None) -> str:
    """Return where to read a benchmark: `data` if given, else its file where there is one, else its name on the hub."""
    folder = os.environ.get(FOLDER)
    files = [Path(benchmark.file), *([Path(folder, benchmark.file)] if folder else [])]
    found = next((str(file) for file in reversed(files) if file.is_file()), None)
    return data or found or benchmark.hub or benchmark.file


def read_benchmark(benchmark: Benchmark, source: str, *, limit: int | None = None) -> BenchmarkSet:
    """Read a benchmark's problems; with a `limit` so many, evenly spaced over all that can be judged.

    A problem with a constraint that no verifier checks is left out and counted. Raises InputError, naming the row, for
    one of another format, and when none can be judged.
    """
    problems, unimplemented, total = [], Counter[str](), 0
    for problem, missing in _located(benchmark, source):
        total += 1
        unimplemented.update(missing)
        problems += [] if missing else [problem]
    if not problems:
        raise InputError(f"{source} holds no problem of {benchmark.name} that can be judged")
    count = len(problems) if limit is None else min(limit, len(problems))
    chosen = tuple(problems[index * len(problems) // count] for index in range(count))
    return BenchmarkSet(problems=chosen, total=total, unimplemented=unimplemented)


def _located(benchmark: Benchmark, source: str) -> Iterator[tuple[Problem, list[str]]]:
    try:
        for location, row in read_rows(source, split=benchmark.split):
            with located(location, None):
                read = benchmark.read(row, location)
            yield read
    except InputError as error:
        if source != benchmark.hub:
            raise
        raise InputError(
            f"{error}\nThe data of {benchmark.name} ({benchmark.licence}) is not part of Heed: name a file with "
            f"--data, or a folder that holds {benchmark.file} with the environment variable {FOLDER}"
        ) from error
