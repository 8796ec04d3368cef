"""Datasets: the problems or preference pairs that a run trains on, and its held-out problems."""

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datasets import Dataset
from pyarrow import ArrowException, DataType

from data.expansion import instruction_problem
from data.instructions import Split
from data.preferences import PreferencePair, pair_row
from data.problems import Problem, to_row, user_text
from data.reading import read_pairs, read_problems
from data.reasoning import ReasoningTags
from rewards.errors import InputError
from rl.common.atomic import write_text
from rl.common.errors import UserError
from rl.config.data import DataConfig
from rl.config.model import ModelConfig
from rl.config.root import Config
from rl.credit.pairs import PAIR
from rl.models.answers import reasoning_tags
from rl.models.load import configured_tokenizer

REWARD_ARGUMENTS = (
    "completions",
    "completion_ids",
    "prompts",
    "trainer_state",
    "log_extra",
    "log_metric",
    "environments",
)
"""What TRL passes to reward functions beside the columns: a column of such a name would be lost, or break the call."""


UNREADABLE_ROWS = "unreadable_rows.txt"
"""In the run folder: the rows that `data.unreadable=skip` left out, one a line."""


IMAGE_COLUMNS = ("image", "images")
"""Columns in which TRL's trainers look for pictures."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Problems:
    """Problems to train on and problems to evaluate on; no problem is in both."""

    train: tuple[Problem, ...]
    held_out: tuple[Problem, ...]
    unreadable: tuple[str, ...] = ()
    """Where and why a row was left out, for each that could not be read."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Pairs:
    """Preference pairs to train on and problems to evaluate on; no prompt is in both."""

    train: tuple[PreferencePair, ...]
    held_out: tuple[Problem, ...]
    unreadable: tuple[str, ...] = ()
    """Where and why a row was left out, for each that could not be read."""


def problems_of(training: Sequence[Problem] | Sequence[PreferencePair]) -> list[Problem]:
    """Return the problems that a trainer trains on, those of the pairs where it trains on pairs."""
    return [item.problem if isinstance(item, PreferencePair) else item for item in training]


def load_training(config: Config) -> Problems | Pairs:
    """Load problems for GRPO and for rounds of online DPO, and pairs for DPO."""
    if config.algorithm == "grpo" or config.pairs.rounds:
        return load_problems(config.data)
    return load_pairs(config.data, written_tags(config.model))


def report_unreadable(training: Problems | Pairs, folder: Path, announce: Callable[[str], None]) -> None:
    """List the rows that could not be read in the run folder, and announce how many and why the first was left out."""
    if lines := training.unreadable:
        write_text(folder / UNREADABLE_ROWS, "".join(f"{line}\n" for line in lines))
        announce(f"Left out {len(lines)} rows that cannot be read, listed in {UNREADABLE_ROWS}; the first: {lines[0]}")


def with_steps_of_epochs(config: Config, rows: int) -> Config:
    """Return the config with the steps that `trainer.num_train_epochs` takes, if it is set.

    Raises UserError when they are no more than the warm-up.
    """
    trainer = config.trainer
    if trainer.num_train_epochs is None:
        return config
    is_grpo = config.algorithm == "grpo"
    steps = trainer.steps_of_epochs(rows, ranks=config.distributed.processes, is_grpo=is_grpo)
    if trainer.warmup_steps >= steps:
        raise UserError(
            f"trainer.num_train_epochs={trainer.num_train_epochs:g} passes over {rows} rows are {steps} steps, and "
            f"trainer.warmup_steps={trainer.warmup_steps} leaves none of them; lower warmup_steps"
        )
    return config.model_copy(update={"trainer": trainer.model_copy(update={"max_steps": steps})})


def check_columns(training: Problems | Pairs) -> None:
    """Raise UserError when the rows to train on make no dataset: before a run folder is made or a model loaded."""
    if isinstance(training, Problems):
        as_dataset(training.train)
    else:
        as_preferences(training.train)


def check_signal(config: Config, training: Problems | Pairs) -> None:
    """Raise UserError when nothing could be learned from the rows: none can be rewarded, or they fill no batch."""
    if isinstance(training, Pairs):
        return
    count, trainer = len(training.train), config.trainer
    own = config.algorithm == "grpo" and config.rewards.functions
    if not own and not any(problem.constraints for problem in training.train):
        cure = ", or name a reward function in rewards.functions" if config.algorithm == "grpo" else ""
        raise UserError(
            f"none of the {count} training problems has a constraint, so that no answer earns more than another; "
            f"give the rows of data.path constraints{cure}"
        )
    ranks = config.distributed.processes
    groups = trainer.batch_per_generation * ranks // trainer.num_generations
    if config.algorithm == "grpo" and count < groups:
        raise UserError(
            f"the data have {count} training problems, and one generation batch takes {groups} "
            f"(trainer.per_device_train_batch_size={trainer.per_device_train_batch_size} x "
            f"{trainer.batch_per_generation // trainer.per_device_train_batch_size} micro-batches x {ranks} ranks / "
            f"trainer.num_generations={trainer.num_generations}), so that no step could be made; add problems, or "
            "lower per_device_train_batch_size"
        )


def check_order(config: Config, training: Problems | Pairs) -> None:
    """Raise UserError when `data.order` would order nothing, since the run ends within its first epoch."""
    trainer, order = config.trainer, config.data.order
    if order == "shuffled":
        return
    groups = trainer.batch_per_generation * config.distributed.processes // trainer.num_generations
    batches = -(-trainer.max_steps * trainer.gradient_accumulation_steps // trainer.micro_steps_per_batch)
    if batches * groups <= len(training.train):
        raise UserError(
            f"data.order={order} orders the epochs after the first, in which each problem is met for the first time, "
            f"and trainer.max_steps={trainer.max_steps} ends within it: {batches} generation batches of {groups} "
            f"problems out of {len(training.train)}; raise max_steps, or set order=shuffled"
        )


def written_tags(model: ModelConfig) -> ReasoningTags | None:
    """Return the tags of the thoughts in a run's files; None if a completion there is all answer."""
    return None if model.reasoning is None else reasoning_tags(configured_tokenizer(model))


def load_pairs(data: DataConfig, tags: ReasoningTags | None = None) -> Pairs:
    """Read the pairs of `data.path`; the last `held_out` prompts are held out. Thoughts stand between `tags`.

    Raises ValueError, naming file and line of a row that is no pair, and when nothing is left to train on.
    """
    assert data.path is not None, "refused by the config"
    unreadable = _unreadable(data)
    pairs = read_pairs(data.path, unreadable=unreadable, tags=tags)
    if data.held_out_path is not None:
        held_out = tuple(read_problems(data.held_out_path, unreadable=unreadable))
    else:
        problems = {user_text(pair.problem): pair.problem for pair in pairs}
        held_out = tuple(problems.values())[max(0, len(problems) - data.held_out) :] if data.held_out else ()
    train = _without_held_out(pairs, held_out, data, "pairs")
    return Pairs(train=train, held_out=held_out, unreadable=tuple(map(str, unreadable or ())))


def _unreadable(data: DataConfig) -> list[InputError] | None:
    """Return a list for the rows that cannot be read, or None where the first of them is an error."""
    return [] if data.unreadable == "skip" else None


def _without_held_out(
    items: Sequence[Any], held_out: Sequence[Problem], data: DataConfig, name: str
) -> tuple[Any, ...]:
    """Return the problems or pairs whose prompt is not held out. Raises UserError when none is left."""
    texts = {user_text(problem) for problem in held_out}
    train = tuple(item for item, one in zip(items, problems_of(items), strict=True) if user_text(one) not in texts)
    if not train:
        setting = f"held_out={data.held_out}" if data.held_out_path is None else f"held_out_path={data.held_out_path}"
        raise UserError(
            f"data.{setting} leaves nothing to train on: {data.path} has {len(items)} {name}, and a held-out prompt is "
            "not trained on"
        )
    return train


def as_preferences(pairs: tuple[PreferencePair, ...], *, as_text: bool = False) -> Dataset:
    """Return the pairs as the dataset that TRL's DPO reads, with their index; as text if there is no template."""
    rows: list[dict[str, Any]] = []
    for index, pair in enumerate(pairs):
        row = pair_row(pair)
        columns: dict[str, Any] = {name: row[name] for name in ("prompt", "chosen", "rejected")}
        if as_text:
            columns = {name: messages[-1]["content"] for name, messages in columns.items()}
        rows.append({**columns, PAIR: index})
    return dataset_from_rows(rows)


def load_problems(data: DataConfig) -> Problems:
    """Read the problems of `data.path`, or draw some from the built-in instructions.

    A row whose prompt is held out is not trained on. Raises UserError when nothing is left to train on.
    """
    if data.path is None:
        return Problems(train=_draw(data, "train", data.num_problems), held_out=_draw(data, "held_out", data.held_out))
    unreadable = _unreadable(data)
    problems = tuple(read_problems(data.path, unreadable=unreadable))
    if data.held_out_path is not None:
        held_out = tuple(read_problems(data.held_out_path, unreadable=unreadable))
    else:
        held_out = problems[max(0, len(problems) - data.held_out) :]
    train = _without_held_out(problems, held_out, data, "problems")
    return Problems(train=train, held_out=held_out, unreadable=tuple(map(str, unreadable or ())))


def _draw(data: DataConfig, split: Split, count: int) -> tuple[Problem, ...]:
    wanted: dict[str, Any] = {name: getattr(data, name) for name in ("kinds", "min_constraints", "max_constraints")}
    return tuple(instruction_problem(data.seed, index, split=split, **wanted) for index in range(count))


def as_dataset(problems: tuple[Problem, ...]) -> Dataset:
    """Return the problems as the dataset that TRL reads: the prompt and, for the rewards, every other column."""
    return dataset_from_rows([to_row(problem) for problem in problems])


def dataset_from_rows(rows: Sequence[Mapping[str, Any]]) -> Dataset:
    """Return the rows with every column that any of them has, in order of first appearance; a missing value is None.

    Raises UserError for a column whose name TRL needs, and for the first row whose value does not fit its column.
    """
    columns = {name: [row.get(name) for row in rows] for name in dict.fromkeys(name for row in rows for name in row)}
    for name in columns:
        if name in REWARD_ARGUMENTS:
            raise UserError(
                f"column {name!r} of the data has the name of an argument that TRL passes to reward functions; "
                f"give it another name, none of {', '.join(REWARD_ARGUMENTS)}"
            )
        if name in IMAGE_COLUMNS:
            raise UserError(
                f"column {name!r} of the data is where TRL looks for pictures, and Heed trains on text; remove it, or "
                "give it another name"
            )
    try:
        return Dataset.from_dict(columns)
    except (ArrowException, OverflowError, ValueError) as error:
        for name, values in columns.items():
            if _column_type(values) is None:
                raise UserError(_misfit(rows, name, values)) from error
        raise


def _misfit(rows: Sequence[Mapping[str, Any]], name: str, values: list[Any]) -> str:
    """Say which row is the first whose value does not fit the rows before it, and both types."""
    index = bisect_left(range(len(values)), True, key=lambda last: _column_type(values[: last + 1]) is None)
    problem = f" (problem {rows[index]['problem_id']!r})" if "problem_id" in rows[index] else ""
    row = f"training row {index + 1}{problem}: column {name!r}"
    given = _column_type([values[index]])
    if given is None:
        return f"{row} holds a value that mixes types or does not fit any: {values[index]!a:.200}; give it one type"
    return f"{row} holds {given}, the rows before it {_column_type(values[:index])}; give every row the same type"


def _column_type(values: list[Any]) -> DataType | None:
    """Return the type of a column of these values, or None when no type fits them all."""
    try:
        return Dataset.from_dict({"values": values}).data.schema.field("values").type
    except (ArrowException, OverflowError, ValueError):
        return None
