"""`heed data attributes`: what programs can say about texts, as prompts that ask for such a text."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from data.attribute_prompts import SIZES, attribute_problem, reconstruction_problem
from data.attributes import hard_attributes
from data.dataset_summary import count
from data.llm_rewriting import Ask, describing
from data.problems import Problem, to_row, user_text
from data.sources import first_text, read_rows
from data.writing import write_rows
from rl.common.errors import UserError

COLUMNS = ("text", "completion", "response", "reference")
"""The first of these that a row has is its text."""


def attributes_command(
    source: Path, output: Path, *, sizes: tuple[int, int] = SIZES, sets: int = 0, seed: int = 0, ask: Ask | None = None
) -> dict[str, Any]:
    """Write one prompt for each text, which asks for a text like it; with `sets`, that many attribute sets instead.

    `ask` adds soft attributes, in the words of a language model. Raises UserError for a row without text, a text
    without enough attributes left out and counted, and sizes outside 3 to 45.
    """
    low, high = sizes
    if not SIZES[0] <= low <= high <= SIZES[1]:
        raise UserError(f"sizes must lie between {SIZES[0]} and {SIZES[1]}, the smaller first; got {low} and {high}")
    texts = [_text(place, row) for place, row in read_rows(source)]
    problems = list(_sets(texts, sets, seed, sizes) if sets else _reconstructions(texts, seed, sizes, ask))
    kept = [problem for problem in problems if len(problem.constraints) >= low]
    if not kept:
        raise UserError(f"no text of {source} has {low} attributes that a program can check")
    path = write_rows([to_row(problem) for problem in kept], output)
    console = Console()
    console.print(Text(user_text(kept[0])))
    lengths = [len(problem.constraints) for problem in kept]
    console.print(
        f"\n{len(kept)} prompts in {path}, {min(lengths)} to {max(lengths)} attributes each"
        + (f"; {len(problems) - len(kept)} left out with fewer than {low}" if len(kept) < len(problems) else "")
    )
    figures = {"file": str(path), "num_problems": len(kept), "left_out": len(problems) - len(kept)}
    return figures | {"fewest": min(lengths), "most": max(lengths), "kinds": count(kept).kinds}


def _text(place: str, row: Any) -> str:
    found = first_text(row, COLUMNS)
    if found is None:
        raise UserError(f"{place}: expected a text in one of the columns {', '.join(COLUMNS)}; got {row!r:.100}")
    return found


def _reconstructions(texts: list[str], seed: int, sizes: tuple[int, int], ask: Ask | None) -> Iterator[Problem]:
    describe = None if ask is None else describing(ask)
    for index, text in enumerate(texts):
        yield reconstruction_problem(seed, index, text, sizes=sizes, describe=describe)


def _sets(texts: list[str], number: int, seed: int, sizes: tuple[int, int]) -> Iterator[Problem]:
    pool = [attribute for text in texts for attribute in hard_attributes(text)]
    for index in range(number):
        yield attribute_problem(seed, index, pool, sizes=sizes)
