"""Paired comparison: the mean score over training of each arm against a baseline, by seed, after Holm."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from rich.table import Table

from launch.bench.compare import BenchArm, area_under
from rl.common.intervals import Interval, holm, student_interval, student_p_value

Arms = Mapping[str, Mapping[int, BenchArm]]
"""Name -> seed -> the finished training."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PairedRow:
    """One name over its seeds, and what it gains on the baseline over the seeds that both have."""

    name: str
    seeds: int
    area: float
    """Mean of the score over the training."""
    last: float
    perfect: float | None
    """Share of the answers with the highest score at the end; None where that was not kept."""
    cpu_seconds: float
    """Of a training, on average."""
    differences: tuple[float, ...] = ()
    """Area minus the baseline's, for each seed that both have."""
    gain: Interval | None = None
    p_value: float | None = None
    """Corrected after Holm over the rows that have one; None for the baseline, and for fewer than two pairs."""


def paired_rows(arms: Arms, baseline: str) -> list[PairedRow]:
    """Return a row for each name that has a finished seed, in their order."""
    rows = [
        _row(name, seeds, {} if name == baseline else arms.get(baseline, {})) for name, seeds in arms.items() if seeds
    ]
    tested = [row.name for row in rows if row.p_value is not None]
    corrected = dict(zip(tested, holm([row.p_value for row in rows if row.p_value is not None]), strict=True))
    return [replace(row, p_value=corrected.get(row.name)) for row in rows]


def differences(arms: Mapping[int, BenchArm], baseline: Mapping[int, BenchArm]) -> list[float]:
    """Return the differences of the areas, for each seed that both have."""
    return [area_under(arms[seed]) - area_under(baseline[seed]) for seed in sorted(arms.keys() & baseline.keys())]


def paired_table(rows: Sequence[PairedRow], *, title: str, perfect: str = "all right") -> Table:
    """Return a table with a line for each row; `perfect` names the column of the answers with the highest score."""
    table = Table(title=title, title_justify="left")
    for column in ("arm", "seeds", "mean over training", "last", perfect, "difference of means", "p (Holm)"):
        table.add_column(column, justify="left" if column == "arm" else "right", overflow="fold")
    for row in rows:
        gain = "" if row.gain is None else f"{row.gain.mean:+.3f} [{row.gain.low:+.3f}, {row.gain.high:+.3f}]"
        p_value = "" if row.p_value is None else f"{row.p_value:.3f}"
        share = "" if row.perfect is None else f"{row.perfect:.3f}"
        table.add_row(row.name, str(row.seeds), f"{row.area:.3f}", f"{row.last:.3f}", share, gain, p_value)
    return table


def by_name(arms: Sequence[BenchArm], names: Sequence[str]) -> dict[str, dict[int, BenchArm]]:
    """Return the arms of each name by seed."""
    return {name: {arm.seed: arm for arm in arms if arm.name == name} for name in names}


def _row(name: str, arms: Mapping[int, BenchArm], baseline: Mapping[int, BenchArm]) -> PairedRow:
    values = list(arms.values())
    found = differences(arms, baseline)
    row = PairedRow(
        name=name,
        seeds=len(values),
        area=fmean(map(area_under, values)),
        last=fmean(arm.scores[-1] for arm in values),
        perfect=fmean(arm.perfect[-1] for arm in values) if all(arm.perfect for arm in values) else None,
        cpu_seconds=fmean(arm.cpu_seconds or 0.0 for arm in values),
        differences=tuple(found),
    )
    if len(found) < 2:
        return row
    return replace(row, gain=student_interval(found), p_value=student_p_value(found))
