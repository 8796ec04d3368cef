"""The protocol of `heed bench credit --task slots`: which arms are trained, in which order, at which learning rate.

Does credit by constraint gain more, the more rules an answer has? The protocol was fixed before the runs.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

from rich.console import Console

from launch.bench.arms import Arm, finished_arm, record_budget
from launch.bench.compare import BenchArm, area_under
from launch.bench.ray_arms import arm_pool
from launch.bench.runner import ArmRunner
from launch.bench.tasks import Slots

DEALT = "dealt"
"""`constraint` with the evidence of each verdict on the next slot: the same mass in the wrong place."""
CONTROLS = (DEALT, "random", "entropy", "global_anchor", "combined")
RULES = ("uniform", "constraint", *CONTROLS)
"""With one slot `dealt` is `constraint` itself, and is left out."""
RATES = (2.5e-4, 5e-4, 1e-3, 2e-3, 4e-3)
"""Learning rates that are tried for `uniform` and for `constraint`."""
SAME_RATE = 1e-3
"""That of the comparison at one rate, chosen by the trial that the protocol follows."""
FOLLOWS_CONSTRAINT = ("constraint", DEALT, "combined")
"""Rules that take the rate tuned for `constraint`; the others take that of `uniform`."""
TUNING_SEEDS = (100, 101, 102)
"""Seeds that rates are chosen by; no comparison uses them."""
SEEDS = {4: 12, 8: 6, 1: 6, 2: 6}
"""Slots -> seeds of each of their arms, in the order of training."""
GROUPS, LARGE_GROUPS = (8, 8), (4, 16)
"""Prompts a step, and completions of each: as many completions in smaller or in larger groups."""
LARGE_GROUP_SEEDS = 6


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """What the seeds of one row of the table have in common.

    Example:
        Cell(slots=4, rule="constraint", rate=1e-3)
    """

    slots: int
    rule: str
    rate: float
    groups: tuple[int, int] = GROUPS

    @property
    def name(self) -> str:
        return f"{self.slots}-{self.rule}-{self.rate:g}-{'x'.join(map(str, self.groups))}"

    def arm(self, seed: int, *, steps: int | None = None) -> Arm:
        """Return the training of one seed."""
        task = Slots(slots=self.slots, shift=int(self.rule == DEALT))
        prompts, completions = self.groups
        changes = {"groups": prompts, "num_generations": completions, "learning_rate": self.rate}
        budget = replace(task.budget, steps=steps or task.budget.steps, **changes)
        credit = {"rule": "constraint" if self.rule == DEALT else self.rule, "preserve_mass": True}
        return Arm(name=self.name, seed=seed, task=task, budget=budget, settings={"credit": credit})


Run = tuple[Cell, int]
"""A cell and a seed."""
Results = Mapping[Run, BenchArm]


def same_rate(slots: int) -> list[Run]:
    """Return the runs that compare `constraint` with `uniform` at one learning rate."""
    return _runs([Cell(slots=slots, rule=rule, rate=SAME_RATE) for rule in RULES[:2]], range(SEEDS[slots]))


def tuning(slots: int) -> list[Run]:
    """Return the runs that the learning rates are chosen by: three seeds for four slots, else two."""
    cells = [Cell(slots=slots, rule=rule, rate=rate) for rate in RATES for rule in RULES[:2]]
    return _runs(cells, TUNING_SEEDS if slots == 4 else TUNING_SEEDS[:2])


def tuned_rate(results: Results, slots: int, rule: str) -> float | None:
    """Return the rate of the highest mean score over training among those of which every seed has finished."""
    followed = "constraint" if rule in FOLLOWS_CONSTRAINT else "uniform"
    tried: dict[float, list[BenchArm | None]] = {}
    for cell, seed in tuning(slots):
        if cell.rule == followed:
            tried.setdefault(cell.rate, []).append(results.get((cell, seed)))
    means = {rate: fmean(map(area_under, arms)) for rate, found in tried.items() if (arms := _complete(found))}
    return max(means, key=means.__getitem__, default=None)


def tuned(
    results: Results, slots: int, rules: Sequence[str], *, groups: tuple[int, int] = GROUPS, seeds: int | None = None
) -> list[Run]:
    """Return the runs of rules at their tuned rates; none of a rule whose rates have not been tried."""
    rates = {rule: tuned_rate(results, slots, rule) for rule in rules if slots > 1 or rule != DEALT}
    cells = [Cell(slots=slots, rule=rule, rate=rate, groups=groups) for rule, rate in rates.items() if rate is not None]
    return _runs(cells, range(seeds or SEEDS[slots]))


Phase = Callable[[Results], list[Run]]

PHASES: tuple[Phase, ...] = (
    lambda results: same_rate(4),
    lambda results: tuning(4),
    lambda results: tuned(results, 4, RULES[:2]),
    lambda results: tuned(results, 4, RULES[:2], groups=LARGE_GROUPS, seeds=LARGE_GROUP_SEEDS),
    lambda results: tuned(results, 4, CONTROLS),
    *(
        phase
        for slots in (8, 1, 2)
        for phase in (
            lambda results, slots=slots: tuning(slots),
            lambda results, slots=slots: tuned(results, slots, RULES),
        )
    ),
)
"""What is trained next, given what has been trained."""


def num_runs() -> int:
    """Return how many runs the protocol has, at most: one at a tuned rate may have been made before."""
    compared = sum((len(RULES) - (slots == 1)) * seeds for slots, seeds in SEEDS.items())
    return len(same_rate(4)) + sum(len(tuning(slots)) for slots in SEEDS) + compared + 2 * LARGE_GROUP_SEEDS


def train_slots(bench: Path, *, jobs: int = 1) -> dict[Run, BenchArm]:
    """Train every arm of the protocol that `bench` does not have yet, and return all.

    Raises RunFailure, after all others have been trained, if an arm failed.
    """
    record_budget(bench, "slots", Slots(slots=4).budget)
    results: dict[Run, BenchArm] = {}
    with arm_pool(jobs) as pool:
        runner = ArmRunner(bench=bench, console=Console(), total=num_runs(), pool=pool)
        for phase in PHASES:
            runs = {(cell.name, seed): (cell, seed) for cell, seed in phase(results)}
            trained = runner.run([cell.arm(seed) for cell, seed in runs.values()])
            results |= {runs[arm.name, arm.seed]: arm for arm in trained}
    runner.raise_if_failed()
    return results


def finished_runs(bench: Path) -> dict[Run, BenchArm]:
    """Return what a bench has trained of the protocol, so far."""
    results: dict[Run, BenchArm] = {}
    for phase in PHASES:
        for cell, seed in phase(results):
            if (arm := finished_arm(cell.arm(seed), bench)) is not None:
                results[cell, seed] = arm
    return results


def seeds_of(results: Results, cell: Cell) -> dict[int, BenchArm]:
    """Return the finished seeds of a cell, without those that only rates were chosen by."""
    found = ((seed, arm) for (other, seed), arm in results.items() if other == cell and seed not in TUNING_SEEDS)
    return dict(sorted(found))


def _runs(cells: Sequence[Cell], seeds: Sequence[int]) -> list[Run]:
    """Return the runs of a seed side by side, so that what an interrupted bench has trained can be paired."""
    return [(cell, seed) for seed in seeds for cell in cells]


def _complete(arms: Sequence[BenchArm | None]) -> list[BenchArm]:
    finished = [arm for arm in arms if arm is not None]
    return finished if len(finished) == len(arms) else []
