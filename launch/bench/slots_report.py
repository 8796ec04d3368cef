"""`heed bench credit --task slots`: trained, and shown on a page beside what was predicted."""

from dataclasses import asdict
from pathlib import Path
from statistics import fmean
from typing import Any

from rich.console import Console
from rich.table import Table

from launch.bench.compare import area_under
from launch.bench.figures import dose_figure
from launch.bench.report import ChosenBy, Comparison, total_cpu_seconds, write_bench_report
from launch.bench.slots import (
    DEALT,
    LARGE_GROUPS,
    RATES,
    RULES,
    SAME_RATE,
    Results,
    finished_runs,
    train_slots,
    tuned_rate,
    tuning,
)
from launch.bench.slots_outcome import DOSES, outcomes, rows_of, same_rate_arms, tuned_arms
from rl.common.atomic import write_json, write_text
from rl.common.errors import UserError

HELD = {True: "yes", False: "no", None: "open"}


def bench_slots(bench: Path, *, jobs: int = 1) -> dict[str, Any]:
    """Train what is missing of the protocol; write `slots.json`, `dose.svg` and `report.html`, print the outcomes."""
    results = train_slots(bench, jobs=jobs)
    found = {
        "arms": [asdict(arm) for arm in results.values()],
        "predictions": [asdict(outcome) for outcome in outcomes(results)],
        "cpu_hours": round(total_cpu_seconds(list(results.values())) / 3600, 2),
    }
    write_json(bench / "slots.json", found)
    write_text(bench / "dose.svg", _dose_figure(results))
    table = Table("prediction", "held", "measured")
    for outcome in outcomes(results):
        table.add_row(outcome.prediction, HELD[outcome.held], outcome.measured)
    console = Console()
    console.print(table)
    console.print(f"Report: {report_slots(bench)}", soft_wrap=True)
    return found


def report_slots(bench: Path) -> Path:
    """Write `report.html` into the folder of a bench. Raises UserError where nothing has been trained."""
    results = finished_runs(bench)
    if not results:
        raise UserError(f"{bench} has no finished arm of the slots; train some, without --report")
    tuned = [_tuned_comparison(results, slots) for slots in DOSES]
    same = Comparison(title=f"K = 4, both at {SAME_RATE:g}", arms=same_rate_arms(results))
    note = "64 completions a step, 4 prompts x 16; the rates are those tuned for 8 x 8."
    large = Comparison(title="K = 4, larger groups", arms=tuned_arms(results, 4, LARGE_GROUPS), note=note)
    return write_bench_report(
        bench / "report.html",
        title="Credit by constraint: dose and response",
        comparisons=[*tuned, large, same],
        outcomes=outcomes(results),
        tables=[_rate_table(results)],
        figures=[_dose_figure(results)],
        cpu_seconds=total_cpu_seconds(list(results.values())),
    )


def _tuned_comparison(results: Results, slots: int) -> Comparison:
    rates = {rule: tuned_rate(results, slots, rule) for rule in RULES[:2]}
    shown = ", ".join(f"{rule} {rate:g}" for rule, rate in rates.items() if rate is not None)
    missing = sum(run not in results for run in tuning(slots))
    note = f"Learning rates: {shown or 'none yet'}"
    if missing:
        note += f"; {missing} of {len(tuning(slots))} trainings to choose them by are missing, so they may change"
    return Comparison(title=f"K = {slots}", arms=tuned_arms(results, slots), note=f"{note}.")


def _rate_table(results: Results) -> ChosenBy:
    rows: dict[str, list[float | None]] = {}
    for slots in DOSES:
        for rule in RULES[:2]:
            areas = {rate: [] for rate in RATES}
            for cell, seed in tuning(slots):
                if cell.rule == rule and (cell, seed) in results:
                    areas[cell.rate].append(area_under(results[cell, seed]))
            if any(areas.values()):
                rows[f"K = {slots}, {rule}"] = [fmean(found) if found else None for found in areas.values()]
    title = "Learning rates: mean over training, of seeds that no comparison uses"
    return ChosenBy(title=title, columns=[f"{rate:g}" for rate in RATES], rows=rows)


def _dose_figure(results: Results) -> str:
    rows = {slots: rows_of(results, slots) for slots in DOSES}
    return dose_figure(
        {
            rule: {
                slots: (rows[slots][rule].gain, rows[slots][rule].differences) for slots in DOSES if rule in rows[slots]
            }
            for rule in RULES[1:]
        },
        control=DEALT,
    )
