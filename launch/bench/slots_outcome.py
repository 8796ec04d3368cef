"""The outcome of the slots: what the runs say to each prediction of `PREDICTIONS.md`."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from launch.bench.compare import BenchArm
from launch.bench.paired import PairedRow, differences, paired_rows
from launch.bench.slots import (
    DEALT,
    GROUPS,
    LARGE_GROUPS,
    RULES,
    SAME_RATE,
    SEEDS,
    Cell,
    Results,
    seeds_of,
    tuned_rate,
    tuning,
)
from rl.common.intervals import slope_interval, student_interval

SIGNIFICANT = 0.05
DOSES = tuple(sorted(SEEDS))


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """A prediction, and what came out."""

    prediction: str
    held: bool | None
    """None while arms that decide it are missing."""
    measured: str


def tuned_arms(results: Results, slots: int, groups: tuple[int, int] = GROUPS) -> dict[str, dict[int, BenchArm]]:
    """Return the finished arms of each rule at its tuned rate."""
    arms = {}
    for rule in RULES:
        rate = tuned_rate(results, slots, rule)
        cell = None if rate is None else Cell(slots=slots, rule=rule, rate=rate, groups=groups)
        arms[rule] = {} if cell is None else seeds_of(results, cell)
    return arms


def same_rate_arms(results: Results) -> dict[str, dict[int, BenchArm]]:
    """Return the arms of four slots at one rate."""
    return {rule: seeds_of(results, Cell(slots=4, rule=rule, rate=SAME_RATE)) for rule in RULES[:2]}


def rows_of(results: Results, slots: int) -> dict[str, PairedRow]:
    """Return the rows of the primary table by rule."""
    return {row.name: row for row in paired_rows(tuned_arms(results, slots), "uniform")}


def outcomes(results: Results) -> list[Outcome]:
    """Return the outcome of each prediction, in their order."""
    doses = {slots: rows_of(results, slots) if _tuned(results, slots) else {} for slots in DOSES}
    several = [slots for slots in DOSES if slots > 1]
    gain = (
        _gain_grows(results) if all(_tuned(results, slots) for slots in DOSES) else (None, "not all arms are trained")
    )
    large = _rows(tuned_arms(results, 4, LARGE_GROUPS) if _tuned(results, 4) else {})
    return [
        _all("K = 1: constraint cannot be told from uniform", [_same(1, doses[1], "constraint")]),
        _all("K = 2, 4, 8: constraint is above uniform", [_above(k, doses[k], "constraint") for k in several]),
        Outcome(prediction="The gain grows with K", held=gain[0], measured=gain[1]),
        _all(
            "K = 2, 4, 8: dealt is below constraint and not above uniform",
            [finding for k in several for finding in (_below_constraint(results, k), _not_above(k, doses[k], DEALT))],
        ),
        _all(
            "random, entropy and global_anchor cannot be told from uniform",
            [_same(k, doses[k], rule) for k in DOSES for rule in ("random", "entropy", "global_anchor")],
        ),
        _all("combined cannot be told from constraint", [_as_constraint(results, k) for k in DOSES]),
        _all("K = 4 in groups of 16: constraint is above uniform", [_above(4, large, "constraint")]),
        _all(
            f"K = 4 at {SAME_RATE:g} for both: constraint is above uniform",
            [_above(4, _rows(same_rate_arms(results)), "constraint")],
        ),
    ]


Finding = tuple[bool | None, str]
"""Whether one part of a prediction held, and what was measured."""


def _all(prediction: str, findings: Sequence[Finding]) -> Outcome:
    """Put the parts of a prediction together: it held if each did, and is open while one is, unless one failed."""
    held = [part for part, _ in findings]
    outcome = False if False in held else None if None in held else True
    return Outcome(prediction=prediction, held=outcome, measured="; ".join(text for _, text in findings if text))


def _same(slots: int, rows: dict[str, PairedRow], rule: str) -> Finding:
    return _judged(slots, rows, rule, lambda row: row.gain is not None and row.gain.low <= 0.0 <= row.gain.high)


def _above(slots: int, rows: dict[str, PairedRow], rule: str) -> Finding:
    return _judged(slots, rows, rule, lambda row: _significant(row) and row.gain is not None and row.gain.mean > 0.0)


def _not_above(slots: int, rows: dict[str, PairedRow], rule: str) -> Finding:
    return _judged(slots, rows, rule, lambda row: not _significant(row) or row.gain is None or row.gain.mean <= 0.0)


def _judged(slots: int, rows: dict[str, PairedRow], rule: str, holds: Callable[[PairedRow], bool]) -> Finding:
    row = rows.get(rule)
    if row is None or row.gain is None:
        return None, ""
    interval = f"{row.gain.mean:+.3f} [{row.gain.low:+.3f}, {row.gain.high:+.3f}], p {row.p_value:.3f}"
    return holds(row), f"K = {slots}: {rule} {interval} ({len(row.differences)} seeds)"


def _significant(row: PairedRow) -> bool:
    return row.p_value is not None and row.p_value < SIGNIFICANT


def _below_constraint(results: Results, slots: int) -> Finding:
    return _against_constraint(results, slots, DEALT, lambda low, high: high < 0.0)


def _as_constraint(results: Results, slots: int) -> Finding:
    return _against_constraint(results, slots, "combined", lambda low, high: low <= 0.0 <= high)


def _against_constraint(results: Results, slots: int, rule: str, holds: Callable[[float, float], bool]) -> Finding:
    arms = tuned_arms(results, slots)
    found = differences(arms[rule], arms["constraint"])
    if not _tuned(results, slots) or len(found) < 2:
        return None, ""
    interval = student_interval(found)
    text = f"{interval.mean:+.3f} [{interval.low:+.3f}, {interval.high:+.3f}]"
    return holds(interval.low, interval.high), f"K = {slots}: {rule} - constraint {text}"


def _gain_grows(results: Results) -> Finding:
    gains = {slots: _constraint_gains(results, slots) for slots in DOSES}
    if not all(len(gains[slots]) >= 2 for slots in DOSES):
        return None, "not all arms are trained"
    points = [(math.log2(slots), gain) for slots in DOSES for gain in gains[slots]]
    slope = slope_interval(*map(list, zip(*points, strict=True)))
    means = [sum(gains[slots]) / len(gains[slots]) for slots in DOSES]
    text = ", ".join(f"{mean:+.3f}" for mean in means)
    measured = f"{slope.mean:+.3f} [{slope.low:+.3f}, {slope.high:+.3f}] a doubling; gains at K = 1, 2, 4, 8: {text}"
    return slope.low > 0.0 and means == sorted(means), measured


def _constraint_gains(results: Results, slots: int) -> list[float]:
    arms = tuned_arms(results, slots)
    return differences(arms["constraint"], arms["uniform"])


def _rows(arms: dict[str, dict[int, BenchArm]]) -> dict[str, PairedRow]:
    return {row.name: row for row in paired_rows(arms, "uniform")}


def _tuned(results: Results, slots: int) -> bool:
    """Return whether the rates have been chosen: before that they may change.

    Each has been tried, or some failed and the bench went on to the last rule without them.
    """
    return all(run in results for run in tuning(slots)) or bool(tuned_arms(results, slots)[RULES[-1]])
