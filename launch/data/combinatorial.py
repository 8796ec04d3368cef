"""`heed data combinatorial`: instances of a combinatorial problem with reference solutions, drawn into a file."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, get_args

from rich.console import Console

from data.combinatorial.reference import Reference
from data.combinatorial.references import reference_of
from data.combinatorial.rows import chat_row, draw_instance, instance_problem
from data.writing import write_rows
from launch.data.show import progress, show_prompts
from rewards.feasibility.instance import Instance
from rewards.feasibility.problems import to_json
from rewards.feasibility.texts import TextKind
from rl.common.atomic import write_text
from rl.common.cache import cache_root
from rl.common.errors import UserError
from rl.runs.jsonl import JsonlFile, read_jsonl

CHUNK = 16
"""Instances that a process is given at a time."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Solving:
    """How references are found."""

    seconds: float = 10.0
    """Time limit of a solver for one instance."""
    seed: int = 0
    jobs: int = 1
    """Instances that are solved at a time."""


def combinatorial_command(
    *, problem: str, size: int, number: int, text: str, seed: int, output: Path, solving: Solving
) -> dict[str, Any]:
    """Draw instances with references into a file, and return how many, and how many references are proven optimal.

    Raises UserError for an unknown kind of text and for fewer than one instance.
    """
    if text not in get_args(TextKind):
        raise UserError(f"unknown text {text!r}; there are {', '.join(get_args(TextKind))}")
    if number < 1:
        raise UserError(f"the number of instances must be at least 1, got {number}")
    kind: TextKind = "plain" if text == "plain" else "stepwise"
    instances = [draw_instance(problem, seed, index, size) for index in range(number)]
    problems = [instance_problem(f"{problem}-{size}-{seed}-{at}", one, kind) for at, one in enumerate(instances)]
    references = cached_references(instances, solving, cache_root() / "references" / f"{problem}-{size}.jsonl")
    triples = zip(problems, instances, references, strict=True)
    path = write_rows([chat_row(one, instance, reference, kind) for one, instance, reference in triples], output)
    proven = sum(reference.proven for reference in references)
    show_prompts(problems[:1])
    Console().print(f"{number} instances of {problem} in {path}, {proven} with a reference that is proven optimal")
    return {"file": str(path), "problem": problem, "size": size, "text": kind, "num_problems": number, "proven": proven}


def cached_references(instances: Sequence[Instance], solving: Solving, path: Path) -> list[Reference]:
    """Return a reference for each instance; those in the file are read, the others solved in parallel and appended."""
    keys = [reference_key(instance, solving) for instance in instances]
    rows = read_jsonl(path)
    write_text(path, "".join(json.dumps(row) + "\n" for row in rows))  # without a last line that a kill cut short
    known = {row.pop("key"): read_reference(row) for row in rows}
    missing = {key: instance for key, instance in zip(keys, instances, strict=True) if key not in known}
    file = JsonlFile(path)
    solved = _solved(list(missing.values()), solving)
    for key, reference in zip(missing, progress(solved, "solving", total=len(missing)), strict=True):
        known[key] = reference
        file.append({"key": key, **asdict(reference)})
    return [known[key] for key in keys]


def reference_key(instance: Instance, solving: Solving) -> str:
    """Return the name under which a reference is kept: of its instance, time limit and seed."""
    text = json.dumps([to_json(instance), solving.seconds, solving.seed])
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def read_reference(row: dict[str, Any]) -> Reference:
    """Return the reference of a line of the cache."""
    return Reference(**{**row, "solution": tuple(map(tuple, row["solution"]))})


def _solved(instances: Sequence[Instance], solving: Solving) -> Iterator[Reference]:
    solve = partial(reference_of, seconds=solving.seconds, seed=solving.seed)
    if solving.jobs == 1:
        yield from map(solve, instances)
        return
    with ProcessPoolExecutor(solving.jobs, mp_context=get_context("spawn")) as pool:
        yield from pool.map(solve, instances, chunksize=CHUNK)
