"""`heed bench levels`: the share of constraints that a model satisfies, by level, pattern and category."""

import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any, get_args

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from data.constraints import CATEGORIES, KINDS
from data.expansion import leveled_problem
from data.problems import Problem
from data.prompt_templates import Pattern
from launch.data.load_engine import load_engine
from rl.common.atomic import write_json
from rl.common.errors import UserError
from rl.evaluation.evaluate import EvaluatedAnswer, evaluate
from rl.rollouts.answering import answer_here
from rl.rollouts.engine_hf import TransformersEngine
from rl.rollouts.generation import GenerationConfig

LEVELS = (1, 2, 3, 4)


def bench_levels(
    model: str, *, prompts: int, seed: int, max_tokens: int, batch_size: int, output: Path | None
) -> dict[str, Any]:
    """Answer `prompts` held-out prompts of each level and pattern greedily; every pattern states the same constraints.

    Finished cells are written to `output` one by one, and reused when the same bench is started again. Raises
    UserError for a number below 1, and when `output` holds another bench.
    """
    settings = {"model": model, "prompts": prompts, "seed": seed, "max_tokens": max_tokens}
    if min(prompts, max_tokens, batch_size) < 1:
        given = f"{prompts}, {max_tokens} and {batch_size}"
        raise UserError(f"prompts, max_tokens and batch_size must be at least 1, got {given}")
    cells = _finished_cells(output, settings)
    engine = load_engine(model, GenerationConfig(temperature=0.0, max_completion_length=max_tokens))
    finished = {_cell_key(cell) for cell in cells}
    missing = [key for key in product(LEVELS, get_args(Pattern)) if key not in finished]
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("answering", total=len(missing) * prompts)
        for level, pattern in missing:
            problems = _cell_problems(level, pattern, prompts=prompts, seed=seed)
            answers = _answers(engine, problems, batch_size, seed, advance=partial(bar.advance, task))
            cells.append({"level": level, "pattern": pattern, **cell_metrics(answers)})
            if output is not None:
                write_json(output, {**settings, "cells": cells})
    return {**settings, "cells": sorted(cells, key=_cell_key)}


def _cell_problems(level: int, pattern: Pattern, *, prompts: int, seed: int) -> list[Problem]:
    return [leveled_problem(seed, index, level=level, split="held_out", pattern=pattern) for index in range(prompts)]


def _answers(
    engine: TransformersEngine, problems: list[Problem], batch_size: int, seed: int, *, advance: Callable[[int], None]
) -> list[EvaluatedAnswer]:
    answers: list[EvaluatedAnswer] = []
    for start in range(0, len(problems), batch_size):
        batch = problems[start : start + batch_size]
        answers += evaluate(
            answer_here(engine), engine.tokenizer, batch, samples=1, batch_size=batch_size, seed=seed
        ).answers
        advance(len(batch))
    return answers


def cell_metrics(answers: Sequence[EvaluatedAnswer]) -> dict[str, Any]:
    """Return the shares of satisfied constraints and of prompts with all satisfied, and counts by category."""
    by_category: dict[str, list[bool]] = defaultdict(list)
    for answer in answers:
        for kind, satisfied in answer.satisfied:
            by_category[KINDS[kind].category].append(satisfied)
    prompts = [[satisfied for _, satisfied in answer.satisfied] for answer in answers if answer.satisfied]
    counts = {name: [sum(by_category[name]), len(by_category[name])] for name in CATEGORIES if by_category[name]}
    return {
        "prompts": len(answers),
        "pass_rate": _share([satisfied for values in prompts for satisfied in values]),
        "all_satisfied": _share([all(values) for values in prompts]),
        "categories": counts,
        "mean_words": sum(answer.num_words for answer in answers) / len(answers),
    }


def show_levels(result: dict[str, Any], console: Console) -> None:
    """Print the pass rate by level and pattern, then by level and category over all patterns."""
    columns = [str(pattern) for pattern in get_args(Pattern)]
    table = Table(
        "level", *columns, *CATEGORIES, title=f"Constraints satisfied by {result['model']} (all of a prompt's)"
    )
    for level in LEVELS:
        cells = {cell["pattern"]: cell for cell in result["cells"] if cell["level"] == level}
        by_pattern = [f"{cells[name]['pass_rate']:.2f} ({cells[name]['all_satisfied']:.2f})" for name in columns]
        table.add_row(str(level), *by_pattern, *(_over_patterns(list(cells.values()), name) for name in CATEGORIES))
    console.print(table)


def _over_patterns(cells: Sequence[dict[str, Any]], category: str) -> str:
    counts = [cell["categories"].get(category, [0, 0]) for cell in cells]
    satisfied, total = (sum(values) for values in zip(*counts, strict=True))
    return f"{satisfied / total:.2f} of {total}" if total else "-"


def _share(values: Sequence[bool]) -> float | None:
    return sum(values) / len(values) if values else None


def _cell_key(cell: dict[str, Any]) -> tuple[int, str]:
    return cell["level"], cell["pattern"]


def _finished_cells(output: Path | None, settings: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the cells that an earlier start of the same bench has finished."""
    if output is None or not output.exists():
        return []
    content = json.loads(output.read_text(encoding="utf-8"))
    if {name: content.get(name) for name in settings} != settings:
        raise UserError(f"{output} holds another bench; choose another file, or remove it")
    return content["cells"]
