"""Stage: how often a micro-step waits for the GPU, as torch's own debug mode counts it, and in whose code."""

import statistics
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback

from data.preferences import PreferencePair, preference_pairs
from data.problems import ConstraintSpec, Problem
from launch.bench.gpu.stage import Row, Setup
from launch.bench.gpu.trainings import training_config
from rl.build import Training, trainer_context
from rl.config.load import parse_config
from rl.config.root import Config
from rl.datasets import load_problems

MICRO_STEPS, LENGTH = 4, 32
MOST = 10
"""Synchronizations that a micro-step may have, those of TRL and transformers included."""
MESSAGE = "synchronizing CUDA operation"
ROOT = Path(__file__).parents[4]
OURS = ("rl/", "attention_probes/")
PLACES = 6
"""Places that are named."""


class MicroStepClock(TrainerCallback):
    """Cuts a growing list of warnings at the end of every micro-step and of every optimizer step."""

    def __init__(self, seen: Sequence[warnings.WarningMessage]):
        self.seen = seen
        self.steps: list[list[list[warnings.WarningMessage]]] = []
        """For each optimizer step, the warnings of its micro-steps, and last those of the update."""
        self._start = 0

    def on_step_begin(self, *_: Any, **__: Any) -> None:
        self.steps.append([])
        self._start = len(self.seen)

    def _cut(self, *_: Any, **__: Any) -> None:
        self.steps[-1].append(list(self.seen[self._start :]))
        self._start = len(self.seen)

    on_substep_end = on_pre_optimizer_step = on_step_end = _cut


def measure(setup: Setup) -> Iterator[Row]:
    """Yield a row for each kind of training; on a CPU the trainings run, and there is nothing to count."""
    size = {"max_steps": 3 if setup.on_gpu else 2, "gradient_accumulation_steps": MICRO_STEPS}
    for rule in ("uniform", "constraint"):
        config = training_config(setup, credit={"rule": rule}, trainer={**size, "max_completion_length": LENGTH})
        problems = load_problems(config.data).train
        yield {"training": f"GRPO {rule}"} | count_row(config, setup.folder / rule, problems, setup)
    pairs = comma_pairs(8)
    yield {"training": "DPO constraint"} | count_row(dpo_config(setup, size), setup.folder / "dpo", pairs, setup)


def dpo_config(setup: Setup, size: dict[str, Any]) -> Config:
    """Return the settings of a short DPO training with credit by constraint."""
    return parse_config(
        {
            "algorithm": "dpo",
            "model": {"name": setup.model},
            "data": {"held_out": 0},
            "credit": {"rule": "constraint"},
            "pairs": {"rounds": 1},  # the pairs are made here
            "trainer": {**size, "per_device_train_batch_size": 2},
        }
    )


def comma_pairs(number: int) -> tuple[PreferencePair, ...]:
    """Return pairs of answers that differ by a comma."""
    text = "Use no commas."
    rule = ConstraintSpec(id="punctuation:no_comma", kwargs={}, text=text, spans=((0, len(text)),))
    problems = (
        Problem(problem_id=str(index), messages=({"role": "user", "content": f"{text} {index}?"},), constraints=(rule,))
        for index in range(number)
    )
    answers = ["It is old and grey.", "It is old, and grey."]
    return tuple(pair for problem in problems for pair in preference_pairs([(problem, answers)]))


def count_row(config: Config, folder: Path, training: Training, setup: Setup) -> Row:
    """Train; return the synchronizations of the micro-steps that neither sample nor update, and of the others."""
    with warnings.catch_warnings(record=True) as seen:
        warnings.filterwarnings("always", message=f".*{MESSAGE}")
        clock = MicroStepClock(seen)
        with trainer_context(config, folder, training, [clock]) as trainer, debugged(setup.on_gpu):
            trainer.train()
    if not setup.on_gpu:
        return {"micro_steps": sum(len(step) - 1 for step in clock.steps), "synchronizations": None}
    return sync_row([[synchronizing(part) for part in step] for step in clock.steps[1:]])  # the first step compiles


def sync_row(steps: Sequence[Sequence[Sequence[str]]]) -> Row:
    """Return the median synchronizations of the first micro-step, which samples, of the middle ones, of the last one,
    which takes the gradient's norm, and of the update; of the middle ones also ours, and the places of most.

    `steps` has the places of each part of each step.
    """
    middle = [part for step in steps for part in step[1:-2]]
    ours = [[place for place in part if place.startswith(OURS)] for part in middle]
    row: Row = {
        "synchronizations": statistics.median(map(len, middle)),
        "ours": statistics.median(map(len, ours)),
        "first": statistics.median(len(step[0]) for step in steps),
        "last": statistics.median(len(step[-2]) for step in steps),
        "update": statistics.median(len(step[-1]) for step in steps),
        "places": dict(Counter(place for part in middle for place in part).most_common(PLACES)),
    }
    if row["synchronizations"] > MOST:
        row["finding"] = f"a micro-step waits {row['synchronizations']} times for the GPU, more than {MOST}"
    return row


@contextmanager
def debugged(on_gpu: bool) -> Iterator[None]:
    """Have torch warn of every synchronization in the block."""
    if not on_gpu:
        yield
        return
    torch.cuda.set_sync_debug_mode("warn")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


def synchronizing(seen: Sequence[warnings.WarningMessage]) -> list[str]:
    """Return the place of each synchronization, as `file:line`."""
    return [f"{short_path(one.filename)}:{one.lineno}" for one in seen if MESSAGE in str(one.message)]


def short_path(name: str) -> str:
    """Return the path from the root of the project, or from the folder of installed packages."""
    return name.rpartition("site-packages/")[2].removeprefix(f"{ROOT}/")
