"""Paired comparison of areas, by hand."""

import pytest

from launch.bench.compare import BenchArm
from launch.bench.paired import by_name, paired_rows


def arm(name, seed, score, **changes):
    return BenchArm(name=name, seed=seed, steps=[0, 6], scores=[0.5, score], **changes)


def test_paired_rows__compare_the_mean_over_training_over_the_seeds_that_both_have():
    arms = [arm("uniform", seed, score) for seed, score in enumerate([0.5, 0.7])]
    arms += [arm("constraint", seed, score) for seed, score in enumerate([0.7, 1.1, 0.9])]
    uniform, constraint = paired_rows(by_name(arms, ["uniform", "constraint"]), "uniform")
    # areas: 0.5, 0.6 and 0.6, 0.8, 0.7; differences of the first two seeds 0.1 and 0.2
    assert (uniform.area, uniform.gain, uniform.p_value) == (pytest.approx(0.55), None, None)
    assert (constraint.seeds, constraint.area, constraint.last) == (3, pytest.approx(0.7), pytest.approx(0.9))
    assert constraint.differences == pytest.approx((0.1, 0.2))
    # 0.15 -+ 12.706 x 0.0707 / sqrt(2); t = 3 with one degree of freedom: 1 - 2 atan(3) / pi
    assert constraint.gain is not None
    assert (constraint.gain.mean, constraint.gain.low) == (pytest.approx(0.15), pytest.approx(0.15 - 0.6353, abs=1e-4))
    assert constraint.p_value == pytest.approx(0.2048, abs=1e-4)


def test_paired_rows__are_corrected_for_their_number():
    scores = {"uniform": [0.5, 0.5], "a": [0.7, 0.9], "b": [0.7, 0.9], "short": [0.7]}
    arms = [arm(name, seed, score) for name, values in scores.items() for seed, score in enumerate(values)]
    rows = {row.name: row for row in paired_rows(by_name(arms, list(scores)), "uniform")}
    # each 0.2048 alone, twice that after Holm: two rows can be tested, the one with a single pair cannot
    assert rows["a"].p_value == rows["b"].p_value == pytest.approx(0.4097, abs=1e-4)
    assert (rows["short"].p_value, rows["short"].gain) == (None, None)


def test_paired_rows__leave_out_names_without_a_finished_seed():
    assert [row.name for row in paired_rows({"uniform": {0: arm("uniform", 0, 0.5)}, "random": {}}, "uniform")] == [
        "uniform"
    ]


def test_paired_rows__have_the_share_of_perfect_answers_and_the_time_where_they_were_kept():
    kept = {
        0: arm("uniform", 0, 0.5, perfect=[0.0, 0.25], cpu_seconds=30.0),
        1: arm("uniform", 1, 0.5, perfect=[0.0, 0.75], cpu_seconds=50.0),
    }
    [row] = paired_rows({"uniform": kept}, "uniform")
    assert (row.perfect, row.cpu_seconds) == (0.5, 40.0)
    assert paired_rows({"uniform": {0: arm("uniform", 0, 0.5)}}, "uniform")[0].perfect is None
