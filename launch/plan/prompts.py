"""Prompt lengths: how many tokens a recipe's prompts have, counted where the tokenizer is on this machine."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from jinja2.sandbox import ImmutableSandboxedEnvironment
from tokenizers import Tokenizer

from data.expansion import instruction_problem
from data.problems import Problem
from data.reading import read_problems
from launch.plan.shape import model_folder
from rl.common.errors import UserError
from rl.config.data import DataConfig

NUM_MEASURED = 64
"""Prompts whose lengths stand for all."""
CHARACTERS_PER_TOKEN = 4.0
TEMPLATE_TOKENS = 30
"""Tokens that a chat template adds, where there is none to count with."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PromptLengths:
    """Tokens of the measured prompts, chat template included.

    Example:
        PromptLengths(mean=41.2, longest=58, counted=True, num_problems=2_000)
    """

    mean: float
    longest: int
    counted: bool
    """False: estimated from characters, as the model's tokenizer is not on this machine."""
    num_problems: int
    """Problems to train on."""


def prompt_lengths(
    data: DataConfig, model: str, template_values: Mapping[str, Any] = MappingProxyType({})
) -> PromptLengths:
    """Measure the first training prompts. Raises ValueError for data that cannot be read, or are all held out."""
    problems, total = _problems(data)
    count = _counter(model_folder(model), template_values)
    lengths = [count(problem) if count else _estimate(problem) for problem in problems]
    return PromptLengths(
        mean=sum(lengths) / len(lengths), longest=max(lengths), counted=count is not None, num_problems=total
    )


def _problems(data: DataConfig) -> tuple[list[Problem], int]:
    if data.path is not None:
        problems = read_problems(data.path, unreadable=[] if data.unreadable == "skip" else None)
        trained = len(problems) - (0 if data.held_out_path else data.held_out)
        if trained < 1:
            raise UserError(
                f"data.held_out={data.held_out} leaves nothing to train on: {data.path} has {len(problems)} problems"
            )
        return problems[:NUM_MEASURED], trained
    wanted: dict[str, Any] = {name: getattr(data, name) for name in ("kinds", "min_constraints", "max_constraints")}
    measured = range(min(NUM_MEASURED, data.num_problems))
    return [instruction_problem(data.seed, index, **wanted) for index in measured], data.num_problems


def _counter(folder: Path | None, template_values: Mapping[str, Any]) -> Callable[[Problem], int] | None:
    """Return a function that counts a problem's tokens with the model's tokenizer and template, if both are there."""
    if folder is None or not all((folder / name).is_file() for name in ("tokenizer.json", "chat_template.jinja")):
        return None
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    source = (folder / "chat_template.jinja").read_text(encoding="utf-8")
    template = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True).from_string(source)

    def count(problem: Problem) -> int:
        messages = [dict(message) for message in problem.messages]
        text = template.render(**template_values, messages=messages, add_generation_prompt=True)
        return len(tokenizer.encode(text, add_special_tokens=False).ids)

    return count


def _estimate(problem: Problem) -> int:
    characters = sum(len(message["content"]) for message in problem.messages)
    return round(characters / CHARACTERS_PER_TOKEN) + TEMPLATE_TOKENS
