"""The outcome of the slots and their page, from made-up results."""

from dataclasses import replace

import pytest

from launch.bench.arms import keep
from launch.bench.compare import BenchArm
from launch.bench.slots import DEALT, PHASES, TUNING_SEEDS
from launch.bench.slots_outcome import outcomes
from launch.bench.slots_report import report_slots

GAINS = {"constraint": {1: 0.0, 2: 0.05, 4: 0.1, 8: 0.15}, "combined": {1: 0.0, 2: 0.05, 4: 0.1, 8: 0.15}}
"""What a rule gains on `uniform`, for each number of slots; 0 where nothing is said."""


def made_up(gains):
    """Return results of the whole protocol in which each rule gains that much, give or take 0.01 by seed and rule."""
    results = {}
    for phase in PHASES:
        for cell, seed in phase(results):
            noise = 0.01 * ((seed + len(cell.rule)) % 2) - 0.005
            area = 0.6 + 0.01 * seed % 0.07 + gains.get(cell.rule, {}).get(cell.slots, 0.0) + noise
            steps = {"steps": [0, 6], "scores": [area, area], "perfect": [0.1, 0.2]}
            results[cell, seed] = BenchArm(name=cell.name, seed=seed, cpu_seconds=36.0, **steps)
    return results


def held(gains):
    return [outcome.held for outcome in outcomes(made_up(gains))]


def test_outcomes__all_hold_where_everything_comes_out_as_predicted():
    assert held(GAINS) == [True] * 8


@pytest.mark.parametrize(
    ("changes", "failing"),
    [
        ({"constraint": {**GAINS["constraint"], 1: 0.05}, "combined": {**GAINS["combined"], 1: 0.05}}, {0}),
        ({"constraint": {**GAINS["constraint"], 8: 0.06}, "combined": {**GAINS["combined"], 8: 0.06}}, {2}),
        ({DEALT: {4: 0.1}}, {3}),
        ({"entropy": {2: 0.05}}, {4}),
        ({"combined": {}}, {5}),
        ({"constraint": {}, "combined": {}}, {1, 2, 3, 6, 7}),
    ],
)  # fmt: skip
def test_outcomes__fail_one_by_one(changes, failing):
    assert {index for index, outcome in enumerate(held(GAINS | changes)) if outcome is False} == failing


def test_outcomes__are_open_while_arms_are_missing():
    assert [outcome.held for outcome in outcomes({})] == [None] * 8
    results = made_up(GAINS)
    tuning = {run: arm for run, arm in results.items() if run[1] in TUNING_SEEDS}
    four = {run: arm for run, arm in results.items() if run[0].slots == 4}
    # of K = 4 all is known: groups of 16, and one rate; the others wait for K = 1, 2 and 8
    assert [outcome.held for outcome in outcomes(tuning | four)] == [None] * 6 + [True, True]
    # before the rates are chosen, what there is at the provisional ones decides nothing
    unchosen = {run: arm for run, arm in four.items() if run[1] not in TUNING_SEEDS and run[0].rule in GAINS}
    assert outcomes({run: arm for run, arm in unchosen.items() if run[0].rule != "combined"})[6].held is None


def test_report_slots__shows_predictions_tables_every_seed_and_the_cost(tmp_path):
    results = made_up(GAINS)
    for (cell, seed), arm in results.items():
        keep(cell.arm(seed), arm, tmp_path)
    page = report_slots(tmp_path).read_text()
    assert page.count('class="held">held') == 8
    assert f"{len(results) * 36 / 3600:.1f} hours of CPU in all" in page
    assert page.count("<svg") == 1 + 6  # dose and response; K = 1, 2, 4, 8, larger groups, one rate
    assert ">nan<" not in page
    assert "Learning rates: uniform 0.00025, constraint 0.00025." in page


def test_report_slots__says_when_rates_may_still_change(tmp_path):
    results = made_up(GAINS)
    first = PHASES[0]({})
    for cell, seed in first[:6]:
        keep(cell.arm(seed), replace(results[cell, seed], cpu_seconds=None), tmp_path)
    page = report_slots(tmp_path).read_text()
    assert page.count('class="open">open') == 7 and page.count('class="held">held') == 1
    assert "Learning rates: none yet; 30 of 30 trainings" not in page  # there is nothing to show at tuned rates
    with pytest.raises(ValueError, match="no finished arm of the slots"):
        report_slots(tmp_path / "empty")
