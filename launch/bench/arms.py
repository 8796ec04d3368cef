"""Training arms: the trainings that a comparison is made of, one per setting and seed, each trained once."""

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from transformers import TrainerCallback

from launch.bench.compare import BenchArm, compare, comparison_table, plot_curves
from launch.bench.tasks import Budget, Task
from rl.build import build_trainer
from rl.common.atomic import json_text, write_json
from rl.common.errors import UserError
from rl.config.root import Config
from rl.trainers.grpo import CreditGRPOTrainer

NUM_EVALUATIONS = 10
"""Held-out scores of a training, besides the one before its first step."""


def check_seeds(seeds: int) -> None:
    """Raise UserError for too few seeds to give an interval."""
    if seeds < 2:
        raise UserError(f"got --seeds {seeds}; an interval needs at least 2")


def record_budget(folder: Path, task: str, budget: Budget) -> None:
    """Write task and budget to the folder; with them, `arms` in it are this bench's, to be trained again.

    Raises UserError if it holds arms that were trained on another budget, or that no bench has written.
    """
    path, content = folder / "budget.json", {"task": task, **asdict(budget)}
    if path.exists() and path.read_text(encoding="utf-8") != json_text(content):
        raise UserError(f"{folder} holds arms of another budget ({path}); choose another folder, or the same budget")
    if not path.exists() and (folder / "arms").exists():
        raise UserError(f"{folder / 'arms'} is there, and no bench wrote it; choose another folder")
    write_json(path, content)


def arm_folder(name: str, seed: int, folder: Path) -> Path:
    """Return the run folder of one arm."""
    return folder / "arms" / f"{name.replace(':', '-')}-{seed}"


def run_arms(
    task: Task, configs: Mapping[tuple[str, int], Config], budget: Budget, folder: Path, console: Console
) -> list[BenchArm]:
    """Run the arms of each (name, seed) in order, and print a line for each."""
    arms = []
    for (name, seed), config in configs.items():
        arms.append(run_arm(task, name, seed, config, budget, folder))
        console.print(f"{name} seed {seed}: held-out {arms[-1].scores[0]:.3f} -> {arms[-1].scores[-1]:.3f}")
    return arms


def run_arm(task: Task, name: str, seed: int, config: Config, budget: Budget, folder: Path) -> BenchArm:
    """Train one arm, or read its result if it is finished; an interrupted arm is trained again from its start."""
    run = arm_folder(name, seed, folder)
    finished = run / "arm.json"
    if finished.exists():
        return BenchArm(**json.loads(finished.read_text()))
    shutil.rmtree(run, ignore_errors=True)
    run.mkdir(parents=True)
    arm = _train_arm(task, name, seed, config, budget, run)
    write_json(finished, asdict(arm))
    return arm


def _train_arm(task: Task, name: str, seed: int, config: Config, budget: Budget, run: Path) -> BenchArm:
    problems, held_out = task.problems(config, seed, budget)
    curve = ScoreCallback(every=max(1, budget.steps // NUM_EVALUATIONS))
    trainer = build_trainer(config, run, problems, callbacks=[curve])
    assert isinstance(trainer, CreditGRPOTrainer)
    curve.score = partial(task.held_out_score, trainer, config, held_out)
    try:
        curve.evaluate(0)
        trainer.train()
    finally:
        trainer.rollouts.close()
    return BenchArm(name=name, seed=seed, steps=curve.steps, scores=curve.scores)


def report_arms(
    arms: Sequence[BenchArm], names: Sequence[str], output: Path, extra: dict[str, Any], console: Console
) -> dict[str, Any]:
    """Compare all names with the first; write `output`.json and `output`.png, print a table."""
    comparisons = compare(arms, names)
    result = {
        **extra,
        "arms": [asdict(arm) for arm in arms],
        "comparisons": [asdict(comparison) for comparison in comparisons],
    }
    write_json(output.with_suffix(".json"), result)
    plot_curves(arms, names, output.with_suffix(".png"))
    console.print(comparison_table(comparisons, baseline=names[0], seeds=len({arm.seed for arm in arms})))
    return result


class ScoreCallback(TrainerCallback):
    """Records the held-out score every so many steps and at the end."""

    score: Callable[[], float]

    def __init__(self, *, every: int):
        self.every = every
        self.steps: list[int] = []
        self.scores: list[float] = []

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step % self.every == 0 or state.global_step == state.max_steps:
            self.evaluate(state.global_step)

    def evaluate(self, step: int) -> None:
        """Append the current score."""
        self.steps.append(step)
        self.scores.append(self.score())
