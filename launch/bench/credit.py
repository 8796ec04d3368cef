"""`heed bench credit`: credit rules against `uniform` and their controls, in matched arms over several seeds."""

import re
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console

from launch.bench.arms import RESULT, Arm, check_seeds, read_arm, record_budget
from launch.bench.compare import report_arms
from launch.bench.fitted import FittedTask
from launch.bench.paired import by_name, paired_rows, paired_table
from launch.bench.ray_arms import arm_pool
from launch.bench.report import Comparison, total_cpu_seconds, write_bench_report
from launch.bench.runner import ArmRunner
from launch.bench.slots_report import report_slots
from launch.bench.tasks import TASKS, Budget, Task
from rl.common.errors import UserError

SUFFIX = re.compile(r":(?=(?:raw|mass|roles|residual|attention)\b)")
"""Before a suffix of a rule's name: `raw` is without `credit.preserve_mass`, so that amplifying also enlarges the step,
and evidence weighs 1; `mass` is with it, so that k tokens of evidence among T weigh T/k;
`roles` reads heads by fitted roles, `residual` the difference to a fitted baseline; `attention` has the tokens that
attend to a failed constraint without evidence answer for it, and not the whole text."""


def bench_credit(
    task: str, rules: Sequence[str], seeds: int, *, folder: Path, budget: Budget, jobs: int = 1
) -> dict[str, Any]:
    """Train each rule with each seed, skip finished arms of `folder`, and write `credit.json` and `credit.png`.

    Raises UserError for fewer than two seeds, and for a folder with arms of another task or budget; RunFailure, after
    all others have been trained, for an arm that failed.
    """
    check_seeds(seeds)
    record_budget(folder, task, budget)
    names = list(dict.fromkeys(["uniform", *rules]))
    arms = [credit_arm(TASKS[task], name, seed, budget) for seed in range(seeds) for name in names]
    for arm in arms:
        arm.config(folder)  # raises now for an unknown rule
    console = Console()
    with arm_pool(jobs) as pool:
        runner = ArmRunner(bench=folder, console=console, total=len(arms), pool=pool)
        results = runner.run(arms)
    runner.raise_if_failed()
    rows = paired_rows(by_name(results, names), names[0])
    console.print(paired_table(rows, title="Mean over training, paired by seed"))
    extra = {"task": task, "budget": asdict(budget), "means_over_training": [asdict(row) for row in rows]}
    return report_arms(results, names, folder / "credit", extra, console)


def credit_arm(task: Task, name: str, seed: int, budget: Budget) -> Arm:
    """Return one arm; arms of a seed differ in `credit`, and with a suffix in what is read of attention."""
    rule, *suffixes = SUFFIX.split(name)
    settings: dict[str, Any] = {"credit": {"rule": rule}}
    if "raw" in suffixes:
        settings["credit"] |= {"preserve_mass": False, "evidence_weight": 1.0}
    if "mass" in suffixes:
        settings["credit"]["preserve_mass"] = True
    if "residual" in suffixes:
        settings["credit"]["readings"] = "residual"
    if "attention" in suffixes:
        settings["credit"]["without_evidence"] = "attention"
    if {"residual", "roles"} & set(suffixes):
        task = FittedTask(task=task, roles="roles" in suffixes, baseline="residual" in suffixes)
    return Arm(name=name, seed=seed, task=task, budget=budget, settings=settings)


def report_credit(task: str, folder: Path) -> Path:
    """Write `report.html` about the finished arms of a folder. Raises UserError where there is none."""
    if task == "slots":
        return report_slots(folder)
    arms = [read_arm(path) for path in sorted(folder.glob(f"arms/*/{RESULT}"))]
    if not arms:
        raise UserError(f"{folder} has no finished arm; train some, without --report")
    names = sorted({arm.name for arm in arms}, key=lambda name: (name != "uniform", name))
    comparison = Comparison(title=f"Task {task}", arms=by_name(arms, names))
    path, cpu_seconds = folder / "report.html", total_cpu_seconds(arms)
    return write_bench_report(path, title="Credit rules", comparisons=[comparison], cpu_seconds=cpu_seconds)
