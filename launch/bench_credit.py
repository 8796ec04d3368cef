"""`heed bench credit`: matched arms, one a rule and seed, and what is left of a rule beside its controls."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from transformers import TrainerCallback

import data.arithmetic
from data.arithmetic import chain_problem
from data.problems import Problem
from launch.credit_figures import Arm, Comparison, compare, draw
from rl.atomic import write_json
from rl.build import build_trainer
from rl.config import Config
from rl.rollouts.engine_hf import TransformersEngine
from rl.settings import parse_config
from rl.warmup import MAX_SOLUTION, chain_accuracy, warmed_model

TASKS = ("chain",)
RAW = ":raw"
"""After a rule's name: without `credit.preserve_mass`, so that amplifying enlarges the step as well."""
HELD_OUT_SEED = 2_000_003
POINTS = 10
"""Held-out scores of a training, its start not counted."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Budget:
    """What every arm gets."""

    steps: int = 120
    num_problems: int = 2048
    num_held_out: int = 256
    groups: int = 8
    """Prompts a step."""
    num_generations: int = 8
    learning_rate: float = 1e-3
    start: float = 0.4
    """Share of the chains that the model gets right that all arms start from."""


def bench_credit(task: str, rules: Sequence[str], seeds: int, *, folder: Path, budget: Budget) -> dict[str, Any]:
    """Train each rule with each seed, skip what `folder` already has, and write `credit.json` and `credit.png`.

    Raises ValueError for an unknown task, fewer than two seeds, or a folder with arms of another budget.
    """
    if task not in TASKS:
        raise ValueError(f"unknown task {task!r}; there is {', '.join(TASKS)}")
    if seeds < 2:
        raise ValueError(f"got --seeds {seeds}; an interval needs at least 2")
    keep_budget(folder, budget)
    console = Console()
    names = list(dict.fromkeys(["uniform", *rules]))
    configs = {(name, seed): arm_config(name, seed, budget, folder) for seed in range(seeds) for name in names}
    arms = []
    for (name, seed), config in configs.items():
        arms.append(run_arm(name, seed, config, budget, folder))
        console.print(f"{name} seed {seed}: held-out {arms[-1].scores[0]:.3f} -> {arms[-1].scores[-1]:.3f}")
    comparisons = compare(arms, names)
    result = {"task": task, "budget": asdict(budget), "arms": [asdict(arm) for arm in arms]}
    result |= {"comparisons": [asdict(comparison) for comparison in comparisons]}
    write_json(folder / "credit.json", result)
    draw(arms, names, folder / "credit.png")
    console.print(comparison_table(comparisons, seeds))
    return result


def keep_budget(folder: Path, budget: Budget) -> None:
    """Write down the budget, or raise ValueError where arms were trained with another."""
    path = folder / "budget.json"
    folder.mkdir(parents=True, exist_ok=True)
    if path.exists() and json.loads(path.read_text()) != asdict(budget):
        raise ValueError(f"{folder} holds arms of another budget ({path}); choose another folder, or the same budget")
    write_json(path, asdict(budget))


def arm_config(name: str, seed: int, budget: Budget, folder: Path) -> Config:
    """The settings of one arm; arms of a seed differ in `credit` alone. Raises ValueError for an unknown rule."""
    reward = f"{data.arithmetic.__file__}:exact_answer"
    return parse_config(
        {
            "model": {"name": str(warmed_model(budget.start)), "dtype": "float32"},
            "data": {"seed": seed, "held_out": 0},
            "rewards": {"satisfaction_weight": 0.0, "functions": [reward]},
            "credit": {"rule": name.removesuffix(RAW), "preserve_mass": not name.endswith(RAW)},
            "probe": {"horizon": [2, 10], "window": 5},
            "lora": {"r": 16, "alpha": 32},
            "trainer": {
                "learning_rate": budget.learning_rate,
                "max_steps": budget.steps,
                "per_device_train_batch_size": budget.groups * budget.num_generations,
                "num_generations": budget.num_generations,
                "max_completion_length": MAX_SOLUTION,
                "save_steps": budget.steps,
                "seed": seed,
            },
            "run": {"folder": str(arm_folder(name, seed, folder))},
        }
    )


def arm_folder(name: str, seed: int, folder: Path) -> Path:
    return folder / "arms" / f"{name.replace(':', '-')}-{seed}"


def run_arm(name: str, seed: int, config: Config, budget: Budget, folder: Path) -> Arm:
    """Train one arm, or read what is kept of it; an arm cut short is trained again from its start."""
    run = arm_folder(name, seed, folder)
    kept = run / "arm.json"
    if kept.exists():
        return Arm(**json.loads(kept.read_text()))
    shutil.rmtree(run, ignore_errors=True)
    run.mkdir(parents=True)
    problems = tuple(chain_problem(seed, index) for index in range(budget.num_problems))
    held_out = [chain_problem(HELD_OUT_SEED, index) for index in range(budget.num_held_out)]
    curve = HeldOutCurve(held_out, every=max(1, budget.steps // POINTS))
    trainer = build_trainer(config, run, problems, callbacks=[curve])
    curve.engine = TransformersEngine(
        trainer.policy, trainer.policy_tokenizer, temperature=0.0, max_completion_length=MAX_SOLUTION
    )
    curve.measure(0)
    trainer.train()
    arm = Arm(rule=name, seed=seed, steps=curve.steps, scores=curve.scores)
    write_json(kept, asdict(arm))
    return arm


class HeldOutCurve(TrainerCallback):
    """Greedy accuracy on held-out chains, every so many steps and at the end."""

    engine: TransformersEngine

    def __init__(self, problems: Sequence[Problem], *, every: int):
        self.problems = problems
        self.every = every
        self.steps: list[int] = []
        self.scores: list[float] = []

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step % self.every == 0 or state.global_step == state.max_steps:
            self.measure(state.global_step)

    def measure(self, step: int) -> None:
        self.steps.append(step)
        self.scores.append(chain_accuracy(self.engine, self.problems))


def comparison_table(comparisons: Sequence[Comparison], seeds: int) -> Table:
    """One row a rule: how well it ends, how fast it gets there, and what is left against `uniform`."""
    table = Table(title=f"Held-out accuracy, mean of {seeds} seeds, last checkpoint", title_justify="left")
    for column in ("rule", "last", "mean over training", "last - uniform", "95 % interval, paired by seed"):
        table.add_column(column, justify="left" if column == "rule" else "right")
    for row in comparisons:
        interval = "" if row.low is None else f"[{row.low:+.3f}, {row.high:+.3f}]"
        difference = "" if row.difference is None else f"{row.difference:+.3f}"
        table.add_row(row.rule, f"{row.last:.3f}", f"{row.area:.3f}", difference, interval)
    return table
