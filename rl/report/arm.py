"""Arms: runs that differ in nothing but their seeds, shown as one; and what tells two arms apart."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from rl.common.errors import UserError
from rl.common.intervals import Interval, student_interval
from rl.config.load import RESUMABLE, flat
from rl.evaluation.evaluate import paired_gain
from rl.report.run import RecordedRun

SEEDS = frozenset({"trainer.seed", "data.seed"})
INCIDENTAL = SEEDS | (RESUMABLE - {"trainer.max_steps"}) | {"run.name", "run.folder"}
"""Settings in which the runs of one arm may differ."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Arm:
    """One run, or the same with several seeds; what only one run can show is the first one's."""

    runs: tuple[RecordedRun, ...]

    @property
    def first(self) -> RecordedRun:
        return self.runs[0]

    @property
    def name(self) -> str:
        return self.first.name if len(self.runs) == 1 else f"{self.first.name} and {len(self.runs) - 1} more"

    @property
    def seeds(self) -> str:
        return ", ".join(str(run.config.trainer.seed) for run in self.runs)

    @property
    def metrics(self) -> list[dict[str, Any]]:
        """Every run's lines, by step."""
        return sorted((line for run in self.runs for line in run.metrics), key=lambda line: line["step"])

    @property
    def last_step(self) -> int:
        return max(run.last_step for run in self.runs)

    def held_out(self) -> "HeldOut | None":
        """The held-out result over the runs that have one."""
        done = [run.summary for run in self.runs if run.summary is not None and "gain" in run.summary]
        if not done:
            return None
        gains = [summary["gain"]["mean"] for summary in done]
        of_one = {name: done[0]["gain"][name] for name in ("mean", "low", "high")}
        return HeldOut(
            before=fmean(summary["before"]["pass_rate"] for summary in done),
            after=fmean(summary["after"]["pass_rate"] for summary in done),
            gain=Interval(**of_one) if len(done) == 1 else student_interval(gains),
            gains=tuple(gains),
            num_problems=done[0]["gain"]["num_problems"],
            kinds={side: _kinds([summary[side]["kinds"] for summary in done]) for side in ("before", "after")},
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class HeldOut:
    """Means over the runs of an arm; the interval is over problems where there is one run, else over seeds."""

    before: float
    after: float
    gain: Interval
    gains: tuple[float, ...]
    """Each run's."""
    num_problems: int
    kinds: dict[str, dict[str, dict[str, int]]]
    """`before` and `after` -> kind -> how many were `satisfied` `of` how many, over all runs."""


def arms_of(runs: Sequence[RecordedRun]) -> list[Arm]:
    """The runs by what they were set to.

    Raises UserError when that makes more than two arms, or an arm has a seed twice.
    """
    found: dict[str, list[RecordedRun]] = {}
    for run in runs:
        found.setdefault(_identity(run), []).append(run)
    if len(found) > 2:
        told = "; ".join(", ".join(run.name for run in alike) for alike in found.values())
        raise UserError(f"a report compares two arms, runs that differ in more than seeds; these are {told}")
    if len(runs) == 2 and _seeds(runs[0]) == _seeds(runs[1]) and len({run.folder.resolve() for run in runs}) == 2:
        return [Arm(runs=(run,)) for run in runs]  # the same again, by other code or on another machine
    for alike in found.values():
        if len({_seeds(run) for run in alike}) < len(alike):
            told = ", ".join(f"{run.folder} (seed {run.config.trainer.seed})" for run in alike)
            raise UserError(f"the same settings and the same seed twice tell no more than once: {told}")
    return [Arm(runs=tuple(alike)) for alike in found.values()]


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """By how much the second arm's adapters score above the first one's."""

    interval: Interval
    over: str
    """What the interval is over."""


def difference(first: Arm, second: Arm) -> Difference | None:
    """The second arm against the first on the held-out problems: paired by seed, or by problem where they share one.

    None where they share no seed with a result, or the problems are not the same.
    """
    scored = [{_seeds(run): run.after for run in arm.runs if run.after is not None} for arm in (first, second)]
    pairs = [(scored[0][seed], scored[1][seed]) for seed in scored[0] if seed in scored[1]]
    if not pairs or any(one.problem_ids() != other.problem_ids() for one, other in pairs):
        return None
    gains = [paired_gain(one, other) for one, other in pairs]
    if len(gains) > 1:
        return Difference(interval=student_interval([gain.mean for gain in gains]), over=f"{len(gains)} seeds, paired")
    [gain] = gains
    interval = Interval(mean=gain.mean, low=gain.low, high=gain.high)
    return Difference(interval=interval, over=f"{gain.num_problems} problems of one seed, and other seeds may differ")


def _identity(run: RecordedRun) -> str:
    settings = {key: value for key, value in flat(run.config) if key not in INCIDENTAL}
    return json.dumps(settings, sort_keys=True)


def _seeds(run: RecordedRun) -> tuple[int, int]:
    return run.config.trainer.seed, run.config.data.seed


def _kinds(summaries: Sequence[dict[str, dict[str, int]]]) -> dict[str, dict[str, int]]:
    """Counts of each kind, added up."""
    added: dict[str, dict[str, int]] = {}
    for kind, counts in (item for summary in summaries for item in summary.items()):
        before = added.get(kind, {"satisfied": 0, "of": 0})
        added[kind] = {name: before[name] + counts[name] for name in before}
    return added
