"""Datasets: the training and the held-out problems of a run."""

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
    """What to train on, and what to be judged by; no problem is in both."""

    train: tuple[Problem, ...]
    held_out: tuple[Problem, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Pairs:
    """Preferences to train on, and problems to be judged by; no prompt is in both."""

    train: tuple[PreferencePair, ...]
    held_out: tuple[Problem, ...]


def load_training(config: Config) -> Problems | Pairs:
    """What the config's algorithm trains on; rounds of DPO start from problems, too."""
    if config.algorithm == "grpo" or config.pairs.rounds:
        return load_problems(config.data)
    return load_pairs(config.data)


def load_pairs(data: DataConfig) -> Pairs:
    """Read the pairs of `data.path`; the last `held_out` prompts are held out.

    Where a prompt states constraints the verdicts are taken anew, else the pair is what its author says. Raises
    ValueError, naming the place of a row that is no pair, and when nothing is left to train on.
    """
    assert data.path is not None, "refused by the config"
    pairs = [_placed_pair(place, row) for place, row in read_rows(data.path, split="train")]
    if data.held_out_path is not None:
        held_out = tuple(read_problems(data.held_out_path))
    else:
        problems = {user_text(pair.problem): pair.problem for pair in pairs}
        held_out = tuple(problems.values())[max(0, len(problems) - data.held_out) :] if data.held_out else ()
    spoken_for = {user_text(problem) for problem in held_out}
    train = tuple(pair for pair in pairs if user_text(pair.problem) not in spoken_for)
    if not train:
        raise UserError(f"data.held_out={data.held_out} leaves nothing to train on: {data.path} has {len(pairs)} pairs")
    return Pairs(train=train, held_out=held_out)


def _placed_pair(place: str, row: Any) -> PreferencePair:
    try:
        return pair_from_row(row) if row.get("constraints") else plain_pair_from_row(row)
    except ValueError as error:
        raise UserError(f"{place}: {error}") from error


def as_preferences(pairs: tuple[PreferencePair, ...]) -> Dataset:
    """The pairs as the dataset TRL's DPO reads, with the number of each."""
    columns = ("prompt", "chosen", "rejected")
    rows = [{name: pair_row(pair)[name] for name in columns} | {PAIR: number} for number, pair in enumerate(pairs)]
    return Dataset.from_list(rows)


def load_problems(data: DataConfig) -> Problems:
    """Read `data.path`, or draw from our own instructions. Raises UserError when nothing is left to train on."""
    if data.path is None:
        return Problems(
            train=_drawn(data, "train", data.num_problems), held_out=_drawn(data, "held_out", data.held_out)
        )
    problems = tuple(read_problems(data.path))
    if data.held_out_path is not None:
        return Problems(train=problems, held_out=tuple(read_problems(data.held_out_path)))
    if data.held_out >= len(problems):
        raise UserError(
            f"data.held_out={data.held_out} leaves nothing to train on: {data.path} has {len(problems)} problems"
        )
    cut = len(problems) - data.held_out
    return Problems(train=problems[:cut], held_out=problems[cut:])


def _drawn(data: DataConfig, split: Split, count: int) -> tuple[Problem, ...]:
    return tuple(
        instruction_problem(data.seed, index, split=split, kinds=data.kinds, max_constraints=data.max_constraints)
        for index in range(count)
    )


def as_dataset(problems: tuple[Problem, ...]) -> Dataset:
    """The problems as the dataset TRL reads: a prompt column, and every other column for the rewards."""
    return Dataset.from_list([to_row(problem) for problem in problems])
