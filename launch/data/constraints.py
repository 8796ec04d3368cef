"""`heed data constraints`: prompts with constraints, drawn into a file."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, get_args

from rich.console import Console

from data.dataset_summary import count
from data.expansion import leveled_problem
from data.instructions import Split
from data.llm_rewriting import AskModel, incompatible_pair, prompt_rewriter
from data.paraphrase import paraphrase
from data.problems import Problem, to_row
from data.prompt_templates import Pattern
from data.writing import write_rows
from launch.data.show import progress, show_counts, show_prompts
from rl.common.errors import UserError


def constraints_command(
    *,
    level: int,
    pattern: str,
    num_problems: int,
    seed: int,
    output: Path,
    split: str = "train",
    reword: AskModel | None = None,
    doubt: AskModel | None = None,
) -> dict[str, Any]:
    """Draw prompts of one level and pattern into a file, and return their counts.

    A language model may rewrite them: `reword` is asked to say each prompt in other words, `doubt` whether its
    constraints contradict each other. A rewording that fails the checks is dropped, a contradictory prompt left out.

    Raises UserError for a level, pattern or split that does not exist.
    """
    one_pattern = _one_of("pattern", pattern, get_args(Pattern))
    one_split = _one_of("split", split, get_args(Split))
    if num_problems < 1:
        raise UserError(f"the number of prompts must be at least 1, got {num_problems}")
    problems = [
        leveled_problem(seed, index, level=level, split=one_split, pattern=one_pattern)
        for index in progress(range(num_problems), "drawing prompts")
    ]
    rewritten: dict[str, int] = {}
    if doubt is not None:
        problems, rewritten["doubted"] = _without_doubted(problems, doubt)
    if reword is not None:
        problems, rewritten["reworded"] = _reworded(problems, reword)
    path = write_rows([to_row(problem) for problem in problems], output)
    counts = asdict(count(problems))
    show_prompts(problems)
    show_counts(counts)
    Console().print(f"{len(problems)} prompts in {path}" + "".join(f", {n} {name}" for name, n in rewritten.items()))
    return {"file": str(path), **counts, **rewritten}


def _without_doubted(problems: Sequence[Problem], doubt: AskModel) -> tuple[list[Problem], int]:
    """Return the problems that the model finds satisfiable, and the number of the others."""
    satisfiable = [
        problem for problem in progress(problems, "asking for doubts") if incompatible_pair(problem, doubt) is None
    ]
    if not satisfiable:
        raise UserError(f"the model doubts that any of the {len(problems)} prompts can be satisfied")
    return satisfiable, len(problems) - len(satisfiable)


def _reworded(problems: Sequence[Problem], reword: AskModel) -> tuple[list[Problem], int]:
    """Return the problems in the model's words where these pass the checks, and how many do."""
    reworded = [paraphrase(problem, prompt_rewriter(reword)) for problem in progress(problems, "rewording")]
    return (
        [new or old for new, old in zip(reworded, problems, strict=True)],
        sum(problem is not None for problem in reworded),
    )


def _one_of(name: str, value: str, allowed: Sequence[Any]) -> Any:
    if value not in allowed:
        raise UserError(f"unknown {name} {value!r}; there are {', '.join(allowed)}")
    return value
