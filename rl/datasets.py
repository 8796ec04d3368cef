"""Datasets: the training and the held-out problems of a run."""

from dataclasses import dataclass

from datasets import Dataset

from data.expansion import instruction_problem
from data.instructions import Split
from data.problems import Problem, to_row
from data.reading import read_problems
from rl.config import Data


@dataclass(frozen=True, kw_only=True, slots=True)
class Problems:
    """What to train on, and what to be judged by; no problem is in both."""

    train: tuple[Problem, ...]
    held_out: tuple[Problem, ...]


def load_problems(data: Data) -> Problems:
    """Read `data.path`, or draw from our own instructions. Raises ValueError when nothing is left to train on."""
    if data.path is None:
        return Problems(
            train=_drawn(data, "train", data.num_problems), held_out=_drawn(data, "held_out", data.held_out)
        )
    problems = tuple(read_problems(data.path))
    if data.held_out_path is not None:
        return Problems(train=problems, held_out=tuple(read_problems(data.held_out_path)))
    if data.held_out >= len(problems):
        raise ValueError(
            f"data.held_out={data.held_out} leaves nothing to train on: {data.path} has {len(problems)} problems"
        )
    cut = len(problems) - data.held_out
    return Problems(train=problems[:cut], held_out=problems[cut:])


def _drawn(data: Data, split: Split, count: int) -> tuple[Problem, ...]:
    return tuple(
        instruction_problem(data.seed, index, split=split, kinds=data.kinds, max_constraints=data.max_constraints)
        for index in range(count)
    )


def as_dataset(problems: tuple[Problem, ...]) -> Dataset:
    """The problems as the dataset TRL reads: a prompt column, and every other column for the rewards."""
    return Dataset.from_list([to_row(problem) for problem in problems])
