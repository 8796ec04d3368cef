"""Datasets: the problems or preference pairs that a run trains on, and its held-out problems."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from datasets import Dataset

from data.expansion import instruction_problem
from data.instructions import Split
from data.preferences import PreferencePair, pair_from_row, pair_row, plain_pair_from_row
from data.problems import Problem, to_row, user_text
from data.reading import read_problems
from data.sources import read_rows
from rl.common.errors import UserError
from rl.config.data import DataConfig
from rl.config.root import Config
from rl.credit.pairs import PAIR


@dataclass(frozen=True, kw_only=True, slots=True)
class Problems:
    """Problems to train on and problems to evaluate on; no problem is in both."""

    train: tuple[Problem, ...]
    held_out: tuple[Problem, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Pairs:
    """Preference pairs to train on and problems to evaluate on; no prompt is in both."""

    train: tuple[PreferencePair, ...]
    held_out: tuple[Problem, ...]


def problems_of(training: Sequence[Problem] | Sequence[PreferencePair]) -> list[Problem]:
    """Return the problems that a trainer trains on, those of the pairs where it trains on pairs."""
    return [item.problem if isinstance(item, PreferencePair) else item for item in training]


def load_training(config: Config) -> Problems | Pairs:
    """Load problems for GRPO and for rounds of online DPO, and pairs for DPO."""
    if config.algorithm == "grpo" or config.pairs.rounds:
        return load_problems(config.data)
    return load_pairs(config.data)


def load_pairs(data: DataConfig) -> Pairs:
    """Read the pairs of `data.path`; the last `held_out` prompts are held out.

    The answers to a prompt with constraints are verified anew; any other pair is taken as its row states it. Raises
    ValueError, naming file and line of a row that is no pair, and when nothing is left to train on.
    """
    assert data.path is not None, "refused by the config"
    pairs = [_read_pair(location, row) for location, row in read_rows(data.path, split="train")]
    if data.held_out_path is not None:
        held_out = tuple(read_problems(data.held_out_path))
    else:
        problems = {user_text(pair.problem): pair.problem for pair in pairs}
        held_out = tuple(problems.values())[max(0, len(problems) - data.held_out) :] if data.held_out else ()
    held_out_texts = {user_text(problem) for problem in held_out}
    train = tuple(pair for pair in pairs if user_text(pair.problem) not in held_out_texts)
    if not train:
        raise UserError(f"data.held_out={data.held_out} leaves nothing to train on: {data.path} has {len(pairs)} pairs")
    return Pairs(train=train, held_out=held_out)


def _read_pair(location: str, row: Any) -> PreferencePair:
    try:
        return pair_from_row(row) if row.get("constraints") else plain_pair_from_row(row)
    except ValueError as error:
        raise UserError(f"{location}: {error}") from error


def as_preferences(pairs: tuple[PreferencePair, ...]) -> Dataset:
    """Return the pairs as the dataset that TRL's DPO reads, with the index of each."""
    columns = ("prompt", "chosen", "rejected")
    rows = [{name: pair_row(pair)[name] for name in columns} | {PAIR: index} for index, pair in enumerate(pairs)]
    return Dataset.from_list(rows)


def load_problems(data: DataConfig) -> Problems:
    """Read the problems of `data.path`, or draw some from the built-in instructions.

    Raises UserError when nothing is left to train on.
    """
    if data.path is None:
        return Problems(train=_draw(data, "train", data.num_problems), held_out=_draw(data, "held_out", data.held_out))
    problems = tuple(read_problems(data.path))
    if data.held_out_path is not None:
        return Problems(train=problems, held_out=tuple(read_problems(data.held_out_path)))
    if data.held_out >= len(problems):
        raise UserError(
            f"data.held_out={data.held_out} leaves nothing to train on: {data.path} has {len(problems)} problems"
        )
    num_training = len(problems) - data.held_out
    return Problems(train=problems[:num_training], held_out=problems[num_training:])


def _draw(data: DataConfig, split: Split, count: int) -> tuple[Problem, ...]:
    return tuple(
        instruction_problem(data.seed, index, split=split, kinds=data.kinds, max_constraints=data.max_constraints)
        for index in range(count)
    )


def as_dataset(problems: tuple[Problem, ...]) -> Dataset:
    """Return the problems as the dataset that TRL reads: the prompt and, for the rewards, every other column."""
    return Dataset.from_list([to_row(problem) for problem in problems])
