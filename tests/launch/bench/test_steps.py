"""`heed bench rollouts` and `heed bench rules`: medians, ratios and columns of a row, on tiny trainings."""

import pytest

from launch.bench.steps import ROLLOUTS, StepClock, _row, bench_config, bench_steps, rule_modes

BASELINES = ("plain TRL", "synchronous")


def test_row__compares_medians():
    seconds = {"plain TRL": [1.0, 2.0, 9.0], "synchronous": [2.5, 2.2, 2.1], "overlapped": [1.1]}
    log = [
        {"sync/wait_seconds": 0.5, "sync/staleness_mean": 1.0, "sync/sampling_seconds": 0.3},
        {"sync/wait_seconds": 0.7, "sync/staleness_mean": 1.0},
    ]
    row = _row("overlapped", seconds, log, [5, 7, 12], BASELINES)
    assert row["step_seconds"] == 1.1
    assert row["ratio_to_plain TRL"] == 0.55
    assert row["ratio_to_synchronous"] == 0.5
    assert row["wait_seconds"] == pytest.approx(0.6)
    assert row["staleness"] == 1.0
    assert row["adapter_bytes"] is None
    assert row["learner_seconds"] == pytest.approx(0.8)
    assert row["learner_bytes"] == 7
    assert _row("synchronous", seconds, [], [], BASELINES)["step_seconds_spread"] == [2.1, 2.5]


def test_step_clock__leaves_out_the_warm_up():
    clock = StepClock()
    clock.ends = [10.0, 13.0, 14.0, 16.0]
    assert clock.seconds(warm_up=1) == [1.0, 2.0]


@pytest.mark.parametrize("mode", [mode for mode in ROLLOUTS if ROLLOUTS[mode] is not None])
def test_bench_config__accepts_every_mode(mode):
    config = bench_config("tiny", ROLLOUTS[mode], completions=16, length=8, steps=2)
    assert config.rollouts.workers == 1
    assert config.rollouts.threads == 1


def test_rule_modes__hardly_learn():
    modes = rule_modes(["uniform", "coupled"])
    config = bench_config("tiny", modes["coupled"], completions=16, length=8, steps=2)
    assert config.credit.rule == "coupled"
    assert config.rollouts.workers == 0
    assert config.trainer.learning_rate == 1e-12
    assert config.trainer.max_steps == 4


def test_bench_steps__compares_rules_with_the_first():
    rows = bench_steps(
        "tiny",
        completions=8,
        length=8,
        steps=2,
        rounds=1,
        modes=rule_modes(["uniform", "coupled"]),
        baselines=["uniform"],
    )
    assert [row["mode"] for row in rows] == ["uniform", "coupled"]
    assert rows[0]["ratio_to_uniform"] == 1.0
    assert all(row["step_seconds"] > 0 for row in rows)


@pytest.mark.slow
def test_bench_steps__measures_every_mode():
    rows = bench_steps("tiny", completions=8, length=8, steps=2, rounds=1)
    assert [row["mode"] for row in rows] == list(ROLLOUTS)
    by_mode = {row["mode"]: row for row in rows}
    assert by_mode["plain TRL"]["staleness"] is None
    assert by_mode["synchronous"]["staleness"] == 0.0
    assert by_mode["overlapped"]["staleness"] == 1.0
    assert all(row["step_seconds"] > 0 for row in rows)
