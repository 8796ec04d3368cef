"""Arms, as in a trial: runs with the same settings and different seeds shown as one, and one arm against another."""

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
    """One run, or several that differ in their seeds; what can be shown of one run only is taken from the first."""

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

    def held_out(self) -> "HeldOutResult | None":
        """Return the held-out result over the runs that have one."""
        summaries = [run.summary for run in self.runs if run.summary is not None and "gain" in run.summary]
        if not summaries:
            return None
        gains = [summary["gain"]["mean"] for summary in summaries]
        over_problems = {name: summaries[0]["gain"][name] for name in ("mean", "low", "high")}
        return HeldOutResult(
            before=fmean(summary["before"]["pass_rate"] for summary in summaries),
            after=fmean(summary["after"]["pass_rate"] for summary in summaries),
            gain=Interval(**over_problems) if len(summaries) == 1 else student_interval(gains),
            gains=tuple(gains),
            num_problems=summaries[0]["gain"]["num_problems"],
            kinds={side: _kinds([summary[side]["kinds"] for summary in summaries]) for side in ("before", "after")},
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class HeldOutResult:
    """Means over the runs of an arm; the interval is over problems where there is one run, else over seeds."""

    before: float
    after: float
    gain: Interval
    gains: tuple[float, ...]
    """One per run."""
    num_problems: int
    kinds: dict[str, dict[str, dict[str, int]]]
    """`before` and `after` -> kind of constraint -> how many were `satisfied` `of` how many, over all runs."""


def group_into_arms(runs: Sequence[RecordedRun]) -> list[Arm]:
    """Group runs by their settings, seeds apart.

    Raises UserError when that makes more than two arms, or an arm has a seed twice.
    """
    by_settings: dict[str, list[RecordedRun]] = {}
    for run in runs:
        by_settings.setdefault(_settings(run), []).append(run)
    if len(by_settings) > 2:
        names = "; ".join(", ".join(run.name for run in alike) for alike in by_settings.values())
        raise UserError(
            f"a report compares at most two arms (runs with the same settings, seeds apart); these are {names}"
        )
    if len(runs) == 2 and _seeds(runs[0]) == _seeds(runs[1]) and len({run.folder.resolve() for run in runs}) == 2:
        return [Arm(runs=(run,)) for run in runs]  # the same run by other code or on another machine
    for alike in by_settings.values():
        if len({_seeds(run) for run in alike}) < len(alike):
            folders = ", ".join(f"{run.folder} (seed {run.config.trainer.seed})" for run in alike)
            raise UserError(f"the same settings with the same seed twice; name each run once: {folders}")
    return [Arm(runs=tuple(alike)) for alike in by_settings.values()]


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """How much higher the pass rate of the second arm's adapters is than that of the first's."""

    interval: Interval
    over: str
    """The sample that the interval is over: seeds or problems."""


def difference(first: Arm, second: Arm) -> Difference | None:
    """Compare two arms on the held-out problems, paired by seed, or by problem where they share a single seed.

    None where they share no seed with a result, the problems are not the same, or no constraint applied to both.
    """
    evaluations = [{_seeds(run): run.after for run in arm.runs if run.after is not None} for arm in (first, second)]
    pairs = [(evaluations[0][seed], evaluations[1][seed]) for seed in evaluations[0] if seed in evaluations[1]]
    if not pairs or any(first.problem_ids() != second.problem_ids() for first, second in pairs):
        return None
    gains = [gain for pair in pairs if (gain := paired_gain(*pair)) is not None]
    if not gains:
        return None
    if len(gains) > 1:
        return Difference(interval=student_interval([gain.mean for gain in gains]), over=f"{len(gains)} seeds, paired")
    [gain] = gains
    interval = Interval(mean=gain.mean, low=gain.low, high=gain.high)
    return Difference(interval=interval, over=f"{gain.num_problems} problems of one seed, and other seeds may differ")


def _settings(run: RecordedRun) -> str:
    settings = {key: value for key, value in flat(run.config) if key not in INCIDENTAL}
    return json.dumps(settings, sort_keys=True)


def _seeds(run: RecordedRun) -> tuple[int, int]:
    return run.config.trainer.seed, run.config.data.seed


def _kinds(summaries: Sequence[dict[str, dict[str, int]]]) -> dict[str, dict[str, int]]:
    """Add up the counts of each kind."""
    totals: dict[str, dict[str, int]] = {}
    for kind, counts in (item for summary in summaries for item in summary.items()):
        total = totals.get(kind, {"satisfied": 0, "of": 0})
        totals[kind] = {name: total[name] + counts[name] for name in total}
    return totals
