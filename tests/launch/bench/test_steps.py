"""`heed bench rollouts` and `heed bench rules`: medians, ratios and columns of a row, on tiny trainings."""

import pytest

from launch.bench.phases import PHASES, StepClock
from launch.bench.steps import ROLLOUTS, _row, bench_config, bench_steps, rule_modes

BASELINES = ("plain TRL", "synchronous")


def clock_of(ends: list[float], sampling: float = 0.0, peak: float = 0.0) -> StepClock:
    """Return a clock as after a training whose steps computed half of the time until their ends."""
    clock = StepClock()
    clock.ends, clock.computed = ends, [end / 2 for end in ends]
    phases = {"sampling": sampling, "forward": 0.0, "backward": 0.0, "optimizer": 0.0}
    clock.seconds_by_phase = [phases for _ in ends]
    clock.peaks = [{**phases, "sampling": 99.0, "forward": peak} for _ in ends]
    return clock


def test_row__compares_medians():
    clocks = {
        "plain TRL": [clock_of([0.0, 3.0, 4.0, 6.0, 15.0])],  # steps of 1, 2 and 9 seconds after two of warm-up
        "synchronous": [clock_of([0.0, 3.0, 5.5]), clock_of([0.0, 3.0, 5.1])],
        "overlapped": [clock_of([0.0, 3.0, 4.1], sampling=0.25, peak=7.0)],
    }
    log = [
        {"sync/wait_seconds": 0.5, "sync/staleness_mean": 1.0, "sync/sampling_seconds": 0.3},
        {"sync/wait_seconds": 0.7, "sync/staleness_mean": 1.0},
    ]
    row = _row("overlapped", clocks, log, BASELINES)
    assert row["step_seconds"] == 1.1
    assert row["ratio_to_plain TRL"] == 0.55
    assert row["ratio_to_synchronous"] == pytest.approx(1.1 / 2.3, abs=1e-4)
    assert row["wait_seconds"] == pytest.approx(0.6)
    assert row["staleness"] == 1.0
    assert row["adapter_bytes"] is None
    assert row["computed_seconds"] == 0.55
    assert row["learner_seconds"] == pytest.approx(0.3)
    assert row["learner_bytes"] == 7  # what sampling held does not count
    assert _row("synchronous", clocks, [], BASELINES)["step_seconds_spread"] == [2.1, 2.5]


def test_step_clock__measures_the_phases_of_plain_trl_and_of_ours():
    modes = {"plain TRL": None, "synchronous": {}}
    for row in bench_steps("tiny", completions=8, length=4, steps=1, rounds=1, modes=modes):
        seconds = row["seconds_by_phase"]
        assert all(seconds[phase] > 0 for phase in PHASES)
        assert sum(seconds.values()) <= row["computed_seconds"]
        assert row["learner_seconds"] == pytest.approx(row["computed_seconds"] - seconds["sampling"], abs=2e-4)


@pytest.mark.parametrize("mode", [mode for mode in ROLLOUTS if ROLLOUTS[mode] is not None])
def test_bench_config__accepts_every_mode(mode):
    config = bench_config("tiny", ROLLOUTS[mode], completions=16, length=8, steps=2)
    assert config.rollouts.workers == 1
    assert config.rollouts.threads == 1


@pytest.mark.parametrize("settings", [None, {"trainer": {"shared_prompts": True}}])
def test_bench_config__checkpoints_every_mode_or_none(settings):
    sizes = {"completions": 8, "length": 4, "steps": 1}
    for checkpointing in (True, False):
        config = bench_config("tiny", settings, **sizes, checkpointing=checkpointing)
        assert config.trainer.gradient_checkpointing is checkpointing


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
