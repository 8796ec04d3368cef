"""`heed bench credit`: credit rules against `uniform` and their controls, in matched arms over several seeds."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console

from launch.bench.arms import arm_folder, check_seeds, record_budget, report_arms, run_arms
from launch.bench.tasks import TASKS, Budget, Task
from rl.config.load import parse_config
from rl.config.root import Config

RAW = ":raw"
"""Suffix of a rule's name: without `credit.preserve_mass`, so that amplifying also enlarges the step."""


def bench_credit(task: str, rules: Sequence[str], seeds: int, *, folder: Path, budget: Budget) -> dict[str, Any]:
    """Train each rule with each seed, skip finished arms of `folder`, and write `credit.json` and `credit.png`.

    Raises UserError for fewer than two seeds, and for a folder with arms of another task or budget.
    """
    check_seeds(seeds)
    record_budget(folder, task, budget)
    names = list(dict.fromkeys(["uniform", *rules]))
    pairs = [(name, seed) for seed in range(seeds) for name in names]
    configs = {(name, seed): arm_config(TASKS[task], name, seed, budget, folder) for name, seed in pairs}
    console = Console()
    arms = run_arms(TASKS[task], configs, budget, folder, console)
    return report_arms(arms, names, folder / "credit", {"task": task, "budget": asdict(budget)}, console)


def arm_config(task: Task, name: str, seed: int, budget: Budget, folder: Path) -> Config:
    """Return the settings of one arm; arms of a seed differ in `credit` alone. Raises UserError for an unknown rule."""
    tree = task.settings(seed, budget)
    steps = {"max_steps": budget.steps, "save_steps": budget.steps, "learning_rate": budget.learning_rate, "seed": seed}
    tree["trainer"] = tree["trainer"] | steps
    tree["credit"] = {"rule": name.removesuffix(RAW), "preserve_mass": not name.endswith(RAW)}
    tree["run"] = {"folder": str(arm_folder(name, seed, folder))}
    return parse_config(tree)
