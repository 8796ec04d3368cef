"""`heed bench combinatorial`: plain or stepwise text, uniform or constraint credit, one adapter or six routed ones."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

from rich.console import Console
from rich.table import Table

from launch.bench.arms import Arm, check_seeds, record_budget
from launch.bench.compare import BenchArm
from launch.bench.paired import by_name, paired_rows, paired_table
from launch.bench.ray_arms import arm_pool
from launch.bench.runner import ArmRunner
from launch.bench.six_problems import BUDGET, NUM_SAMPLES, SIZES, SixProblems
from rewards.feasibility.texts import TextKind
from rl.common.atomic import write_json
from rl.common.errors import UserError

RANK = 24
"""Of one adapter; of six, each has a sixth."""
STEPS = BUDGET.steps


@dataclass(frozen=True, kw_only=True, slots=True)
class Variant:
    """What distinguishes an arm.

    Example:
        Variant(kind="stepwise", rule="constraint", router="task")
    """

    kind: TextKind
    rule: str
    router: str | None = None
    """None trains one adapter."""

    @property
    def name(self) -> str:
        return f"{self.kind}-{self.rule}-{self.router or 'single'}"

    @property
    def settings(self) -> dict[str, Any]:
        """Return the sections of the config in which the arms differ."""
        rank = RANK if self.router is None else RANK // len(SIZES)
        tree: dict[str, Any] = {"credit": {"rule": self.rule}, "lora": {"r": rank, "alpha": 2 * rank}}
        if self.router is not None:
            tree["routing"] = {"adapters": list(SIZES), "router": self.router}
        return tree

    def arm(self, seed: int, *, steps: int = STEPS) -> Arm:
        """Return the training of one seed."""
        task = SixProblems(kind=self.kind)
        budget = replace(BUDGET, steps=steps)
        return Arm(name=self.name, seed=seed, task=task, budget=budget, settings=self.settings)


KINDS: tuple[TextKind, ...] = ("plain", "stepwise")
VARIANTS = {
    variant.name: variant
    for variant in (
        *(Variant(kind=kind, rule=rule) for kind in KINDS for rule in ("uniform", "constraint")),
        *(Variant(kind="stepwise", rule="constraint", router=router) for router in ("task", "attention", "kmeans")),
    )
}
QUESTIONS = (
    ("plain-uniform-single", ("stepwise-uniform-single",)),
    ("plain-uniform-single", ("plain-constraint-single",)),
    ("stepwise-uniform-single", ("stepwise-constraint-single",)),
    (
        "stepwise-constraint-single",
        ("stepwise-constraint-task", "stepwise-constraint-attention", "stepwise-constraint-kmeans"),
    ),
)
"""A baseline, and what is compared with it."""


def bench_combinatorial(
    folder: Path, *, seeds: int = 5, arms: Sequence[str] = (), steps: int = STEPS, jobs: int = 1
) -> dict[str, Any]:
    """Train each arm with each seed, skip finished ones of `folder`, and write `combinatorial.json`.

    Raises UserError for an unknown arm, for fewer than two seeds, and for a folder of another budget.
    """
    if unknown := [name for name in arms if name not in VARIANTS]:
        raise UserError(f"unknown arm {unknown[0]!r}; there is {', '.join(VARIANTS)}")
    check_seeds(seeds)
    names = [name for name in VARIANTS if not arms or name in arms]
    budget = replace(BUDGET, steps=steps)
    record_budget(folder, "combinatorial", budget)
    console = Console()
    trainings = [VARIANTS[name].arm(seed, steps=steps) for seed in range(seeds) for name in names]
    with arm_pool(jobs) as pool:
        runner = ArmRunner(bench=folder, console=console, total=len(trainings), pool=pool)
        trained = runner.run(trainings)
    result = summary(trained, names)
    write_json(
        folder / "combinatorial.json", {"budget": asdict(budget), **result, "arms": [asdict(a) for a in trained]}
    )
    console.print(*tables(trained, names), sep="\n")
    runner.raise_if_failed()
    return result


def summary(trained: Sequence[BenchArm], names: Sequence[str]) -> dict[str, Any]:
    """Return the comparison of each question, and the details of each arm as means over its seeds."""
    arms = by_name(trained, names)
    return {
        "questions": [
            [asdict(row) for row in paired_rows({name: arms.get(name, {}) for name in (baseline, *others)}, baseline)]
            for baseline, others in QUESTIONS
        ],
        "details": {name: mean_details(list(seeds.values())) for name, seeds in arms.items()},
    }


def mean_details(arms: Sequence[BenchArm]) -> dict[str, float]:
    """Return the mean of each detail over the arms that have it."""
    names = dict.fromkeys(name for arm in arms for name in arm.details)
    return {name: fmean(arm.details[name] for arm in arms if name in arm.details) for name in names}


def tables(trained: Sequence[BenchArm], names: Sequence[str]) -> list[Table]:
    """Return a table for each question, and one of feasibility and gap by problem."""
    arms = by_name(trained, names)
    shown = []
    for baseline, others in QUESTIONS:
        rows = paired_rows({name: arms.get(name, {}) for name in (baseline, *others)}, baseline)
        if len(rows) > 1:
            title = f"Share of feasible answers, held out, greedy; baseline {baseline}"
            shown.append(paired_table(rows, title=title, perfect="optimal"))
    return [*shown, *(_detail_table(name, arms) for name in ("greedy", f"best_of_{NUM_SAMPLES}"))]


def _detail_table(prefix: str, arms: Mapping[str, Mapping[int, BenchArm]]) -> Table:
    table = Table(title=f"Feasible / gap of the feasible, after the last step, {prefix}", title_justify="left")
    for column in ("arm", *SIZES):
        table.add_column(column, overflow="fold")  # names of arms differ at their ends
    for name, seeds in arms.items():
        details = mean_details(list(seeds.values()))
        cells = [
            f"{details.get(f'{prefix}/{problem}/feasible', float('nan')):.2f} / "
            f"{details.get(f'{prefix}/{problem}/gap', float('nan')):.3f}"
            for problem in SIZES
        ]
        table.add_row(name, *cells)
    return table
