"""`heed data attributes`: prompts that ask for a text with the attributes of a given one."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from data.attribute_prompts import SIZES, attribute_problem, reconstruction_problem
from data.attributes import hard_attributes
from data.dataset_summary import count
from data.llm_rewriting import AskModel, attribute_describer
from data.problems import Problem, to_row, user_text
from data.sources import first_text, read_rows
from data.writing import write_rows
from launch.data.show import progress
from rl.common.errors import UserError
from rl.common.export_folder import check_apart

COLUMNS = ("text", "completion", "response", "reference")
"""The first of these that a row has is its text."""


def attributes_command(
    source: Path,
    output: Path,
    *,
    sizes: tuple[int, int] = SIZES,
    sets: int = 0,
    seed: int = 0,
    ask: AskModel | None = None,
) -> dict[str, Any]:
    """Write one prompt for each text, which asks for a text like it; with `sets`, that many attribute sets instead.

    `ask`, a language model, adds attributes that no program can check. Texts with too few attributes are left out and
    counted. Raises UserError for a row without text, and for sizes outside 3 to 45.
    """
    fewest, most = sizes
    if not SIZES[0] <= fewest <= most <= SIZES[1]:
        raise UserError(f"sizes must lie between {SIZES[0]} and {SIZES[1]}, the smaller first; got {fewest} and {most}")
    check_apart(output, source)
    texts = [_text(position, row) for position, row in read_rows(source)]
    drawn = list(_sets(texts, sets, seed, sizes) if sets else _reconstructions(texts, seed, sizes, ask))
    problems = [problem for problem in drawn if len(problem.constraints) >= fewest]
    if not problems:
        raise UserError(f"no text of {source} has {fewest} attributes that a program can check")
    path, left_out = write_rows([to_row(problem) for problem in problems], output), len(drawn) - len(problems)
    lengths = [len(problem.constraints) for problem in problems]
    console = Console()
    console.print(Text(user_text(problems[0])))
    console.print(
        f"\n{len(problems)} prompts in {path}, {min(lengths)} to {max(lengths)} attributes each"
        + (f"; {left_out} left out with fewer than {fewest}" if left_out else "")
    )
    counts = {"num_problems": len(problems), "left_out": left_out, "fewest": min(lengths), "most": max(lengths)}
    return {"file": str(path), **counts, "kinds": count(problems).kinds}


def _text(position: str, row: Any) -> str:
    text = first_text(row, COLUMNS)
    if text is None:
        raise UserError(f"{position}: expected a text in one of the columns {', '.join(COLUMNS)}; got {row!r:.100}")
    return text


def _reconstructions(
    texts: Sequence[str], seed: int, sizes: tuple[int, int], ask: AskModel | None
) -> Iterator[Problem]:
    describe = None if ask is None else attribute_describer(ask)
    for index, text in enumerate(progress(texts, "reading texts")):
        yield reconstruction_problem(seed, index, text, sizes=sizes, describe=describe)


def _sets(texts: Sequence[str], number: int, seed: int, sizes: tuple[int, int]) -> Iterator[Problem]:
    pool = [attribute for text in progress(texts, "reading texts") for attribute in hard_attributes(text)]
    for index in range(number):
        yield attribute_problem(seed, index, pool, sizes=sizes)
