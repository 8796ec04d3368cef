"""What a model can do: the share of constraints it keeps, by level, pattern and category, greedy answers."""

import json
from collections import defaultdict
from collections.abc import Sequence
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
from rl.rollouts.generation import GenerationConfig

LEVELS = (1, 2, 3, 4)


def bench_levels(
    model: str, *, prompts: int, seed: int, max_tokens: int, batch_size: int, output: Path | None
) -> dict[str, Any]:
    """Answer `prompts` held-out prompts of each level and pattern; the same constraints are put in every pattern.

    Finished cells are written to `output` as they come, and kept when the same bench is started again. Raises
    ValueError for a number below 1, and when `output` holds another bench.
    """
    settings = {"model": model, "prompts": prompts, "seed": seed, "max_tokens": max_tokens}
    if min(prompts, max_tokens, batch_size) < 1:
        given = f"{prompts}, {max_tokens} and {batch_size}"
        raise UserError(f"prompts, max_tokens and batch_size must be at least 1, got {given}")
    cells = _kept(output, settings)
    engine = load_engine(model, GenerationConfig(temperature=0.0, max_completion_length=max_tokens))
    done = {_place(cell) for cell in cells}
    wanted = [cell for cell in product(LEVELS, get_args(Pattern)) if cell not in done]
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("answering", total=len(wanted) * prompts)
        for level, pattern in wanted:
            answers: list[EvaluatedAnswer] = []
            for batch in _batches(level, pattern, prompts=prompts, seed=seed, size=batch_size):
                answers += evaluate(
                    engine, engine.tokenizer, batch, samples=1, batch_size=batch_size, seed=seed
                ).answers
                bar.advance(task, len(batch))
            cells.append({"level": level, "pattern": pattern, **figures(answers)})
            if output is not None:
                write_json(output, {**settings, "cells": cells})
    return {**settings, "cells": sorted(cells, key=_place)}


def _batches(level: int, pattern: Pattern, *, prompts: int, seed: int, size: int) -> list[list[Problem]]:
    problems = [leveled_problem(seed, at, level=level, split="held_out", pattern=pattern) for at in range(prompts)]
    return [problems[at : at + size] for at in range(0, prompts, size)]


def figures(answers: Sequence[EvaluatedAnswer]) -> dict[str, Any]:
    """Shares of constraints kept and of prompts with all kept, and (kept, applicable) by category."""
    kept: dict[str, list[bool]] = defaultdict(list)
    for answer in answers:
        for kind, satisfied in answer.satisfied:
            kept[KINDS[kind].category].append(satisfied)
    every = [satisfied for values in kept.values() for satisfied in values]
    return {
        "prompts": len(answers),
        "pass_rate": _share(every),
        "all_satisfied": _share([all(held for _, held in answer.satisfied) for answer in answers if answer.satisfied]),
        "categories": {name: [sum(kept[name]), len(kept[name])] for name in CATEGORIES if kept[name]},
        "mean_words": sum(answer.num_words for answer in answers) / len(answers),
    }


def show_levels(result: dict[str, Any], console: Console) -> None:
    """Pass rate by level and pattern, then by level and category over all patterns."""
    columns = [str(pattern) for pattern in get_args(Pattern)]
    table = Table("level", *columns, *CATEGORIES, title=f"Constraints kept by {result['model']} (all of a prompt's)")
    for level in LEVELS:
        cells = {cell["pattern"]: cell for cell in result["cells"] if cell["level"] == level}
        by_pattern = [f"{cells[name]['pass_rate']:.2f} ({cells[name]['all_satisfied']:.2f})" for name in columns]
        table.add_row(str(level), *by_pattern, *(_over_patterns(list(cells.values()), name) for name in CATEGORIES))
    console.print(table)


def _over_patterns(cells: Sequence[dict[str, Any]], category: str) -> str:
    counts = [cell["categories"].get(category, [0, 0]) for cell in cells]
    kept, of = (sum(values) for values in zip(*counts, strict=True))
    return f"{kept / of:.2f} of {of}" if of else "-"


def _share(values: Sequence[bool]) -> float | None:
    return sum(values) / len(values) if values else None


def _place(cell: dict[str, Any]) -> tuple[int, str]:
    return cell["level"], cell["pattern"]


def _kept(output: Path | None, settings: dict[str, Any]) -> list[dict[str, Any]]:
    """The cells that an earlier start of the same bench has finished."""
    if output is None or not output.exists():
        return []
    known = json.loads(output.read_text(encoding="utf-8"))
    if {name: known.get(name) for name in settings} != settings:
        raise UserError(f"{output} holds another bench; name a file of its own, or remove it")
    return known["cells"]
