"""`heed bench credit`: matched arms, one a rule and seed, and what is left of a rule beside its controls."""

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from transformers import TrainerCallback

from launch.bench.compare import BenchArm, Comparison, compare, draw
from launch.bench.tasks import TASKS, Budget, Task
from rl.build import build_trainer
from rl.common.atomic import write_json
from rl.common.errors import UserError
from rl.config.load import parse_config
from rl.config.root import Config
from rl.trainers.grpo import CreditGRPOTrainer

RAW = ":raw"
"""After a rule's name: without `credit.preserve_mass`, so that amplifying enlarges the step as well."""
POINTS = 10
"""Held-out scores of a training, its start not counted."""


def bench_credit(task: str, rules: Sequence[str], seeds: int, *, folder: Path, budget: Budget) -> dict[str, Any]:
    """Train each rule with each seed, skip what `folder` already has, and write `credit.json` and `credit.png`.

    Raises UserError for fewer than two seeds, and for a folder with arms of another task or budget.
    """
    if seeds < 2:
        raise UserError(f"got --seeds {seeds}; an interval needs at least 2")
    keep_budget(folder, task, budget)
    console = Console()
    names = list(dict.fromkeys(["uniform", *rules]))
    configs = {
        (name, seed): arm_config(TASKS[task], name, seed, budget, folder) for seed in range(seeds) for name in names
    }
    arms = []
    for (name, seed), config in configs.items():
        arms.append(run_arm(TASKS[task], name, seed, config, budget, folder))
        console.print(f"{name} seed {seed}: held-out {arms[-1].scores[0]:.3f} -> {arms[-1].scores[-1]:.3f}")
    comparisons = compare(arms, names)
    result = {"task": task, "budget": asdict(budget), "arms": [asdict(arm) for arm in arms]}
    result |= {"comparisons": [asdict(comparison) for comparison in comparisons]}
    write_json(folder / "credit.json", result)
    draw(arms, names, folder / "credit.png")
    console.print(comparison_table(comparisons, seeds))
    return result


def keep_budget(folder: Path, task: str, budget: Budget) -> None:
    """Write down task and budget, or raise ValueError where arms were trained on another."""
    path, kept = folder / "budget.json", {"task": task, **asdict(budget)}
    folder.mkdir(parents=True, exist_ok=True)
    if path.exists() and json.loads(path.read_text()) != kept:
        raise UserError(f"{folder} holds arms of another budget ({path}); choose another folder, or the same budget")
    write_json(path, kept)


def arm_config(task: Task, name: str, seed: int, budget: Budget, folder: Path) -> Config:
    """The settings of one arm; arms of a seed differ in `credit` alone. Raises UserError for an unknown rule."""
    tree = task.tree(seed, budget)
    steps = {"max_steps": budget.steps, "save_steps": budget.steps, "learning_rate": budget.learning_rate, "seed": seed}
    tree["trainer"] = tree["trainer"] | steps
    tree["credit"] = {"rule": name.removesuffix(RAW), "preserve_mass": not name.endswith(RAW)}
    tree["run"] = {"folder": str(arm_folder(name, seed, folder))}
    return parse_config(tree)


def arm_folder(name: str, seed: int, folder: Path) -> Path:
    return folder / "arms" / f"{name.replace(':', '-')}-{seed}"


def run_arm(task: Task, name: str, seed: int, config: Config, budget: Budget, folder: Path) -> BenchArm:
    """Train one arm, or read what is kept of it; an arm cut short is trained again from its start."""
    run = arm_folder(name, seed, folder)
    kept = run / "arm.json"
    if kept.exists():
        return BenchArm(**json.loads(kept.read_text()))
    shutil.rmtree(run, ignore_errors=True)
    run.mkdir(parents=True)
    problems, held_out = task.problems(config, seed, budget)
    curve = ScoreCallback(every=max(1, budget.steps // POINTS))
    trainer = build_trainer(config, run, problems, callbacks=[curve])
    assert isinstance(trainer, CreditGRPOTrainer)
    curve.score = partial(task.held_out_score, trainer, config, held_out)
    try:
        curve.measure(0)
        trainer.train()
    finally:
        trainer.rollouts.close()
    arm = BenchArm(rule=name, seed=seed, steps=curve.steps, scores=curve.scores)
    write_json(kept, asdict(arm))
    return arm


class ScoreCallback(TrainerCallback):
    """The held-out score, every so many steps and at the end."""

    score: Callable[[], float]

    def __init__(self, *, every: int):
        self.every = every
        self.steps: list[int] = []
        self.scores: list[float] = []

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step % self.every == 0 or state.global_step == state.max_steps:
            self.measure(state.global_step)

    def measure(self, step: int) -> None:
        self.steps.append(step)
        self.scores.append(self.score())


def comparison_table(comparisons: Sequence[Comparison], seeds: int, *, base: str = "uniform") -> Table:
    """One row an arm: how well it ends, how fast it gets there, and what is left against `base`."""
    table = Table(title=f"Held-out score, mean of {seeds} seeds, last checkpoint", title_justify="left")
    for column in ("arm", "last", "mean over training", f"last - {base}", "95 % interval, paired by seed"):
        table.add_column(column, justify="left" if column == "arm" else "right")
    for row in comparisons:
        interval = "" if row.low is None else f"[{row.low:+.3f}, {row.high:+.3f}]"
        difference = "" if row.difference is None else f"{row.difference:+.3f}"
        table.add_row(row.rule, f"{row.last:.3f}", f"{row.area:.3f}", difference, interval)
    return table
