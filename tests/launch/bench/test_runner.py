"""The runner of arms: none is trained twice, and one that fails does not end the others."""

import io
import json
import os

import pytest
from rich.console import Console

import launch.bench.arms
import launch.bench.runner
from launch.bench.arms import Arm, finished_arm, train_in_turn
from launch.bench.compare import BenchArm
from launch.bench.ray_arms import arm_pool
from launch.bench.runner import ERROR, ArmRunner
from launch.bench.tasks import Budget, Chain
from rl.common.atomic import write_json
from rl.common.errors import RunFailure

BUDGET = Budget(steps=2, num_problems=16, num_held_out=8, groups=2, num_generations=2, learning_rate=1e-3)


def make_arm(name, seed=0):
    return Arm(name=name, seed=seed, task=Chain(), budget=BUDGET, settings={"credit": {"rule": "uniform"}})


@pytest.fixture
def trainings(monkeypatch):
    """Replace the training by one that notes the arm and fails for the name `bad`; return the notes."""
    notes = []

    def train(arm, bench):
        notes.append((arm.name, arm.seed))
        if arm.name == "bad":
            raise ZeroDivisionError("no digits")
        return BenchArm(name=arm.name, seed=arm.seed, steps=[0, 2], scores=[0.5, 0.75], cpu_seconds=3.0)

    monkeypatch.setattr(launch.bench.arms, "train_arm", train)
    return notes


def make_runner(folder, total=3, pool=train_in_turn):
    return ArmRunner(bench=folder, console=Console(file=io.StringIO(), width=40), total=total, pool=pool)


def test_arm_runner__goes_on_after_an_arm_that_fails_and_names_it_at_the_end(tmp_path, trainings):
    runner = make_runner(tmp_path)
    arms = [make_arm("good"), make_arm("bad"), make_arm("good", seed=1)]
    assert [(arm.name, arm.seed) for arm in runner.run(arms)] == [("good", 0), ("good", 1)]
    assert "ZeroDivisionError: no digits" in (tmp_path / "arms" / "bad-0" / ERROR).read_text()
    with pytest.raises(RunFailure, match=r"1 arms failed(?s:.)*bad seed 0: ZeroDivisionError: no digits"):
        runner.raise_if_failed()


def test_arm_runner__trains_no_arm_twice_and_tries_a_failed_one_again_when_started_again(tmp_path, trainings):
    arms = [make_arm("good"), make_arm("bad")]
    first = make_runner(tmp_path)
    first.run(arms)
    first.run(arms)
    assert trainings == [("good", 0), ("bad", 0)]
    make_runner(tmp_path).run(arms)
    assert trainings == [("good", 0), ("bad", 0), ("bad", 0)]


def test_arm_runner__says_how_many_are_done_and_how_long_the_rest_takes(tmp_path, trainings, monkeypatch):
    runner = make_runner(tmp_path, total=4)
    now = runner._started
    monkeypatch.setattr(launch.bench.runner.time, "monotonic", lambda: now + 60.0)
    runner.run([make_arm("good")])
    # one arm took 60 s, three are left; the line is not broken at the console's width
    line = "1 of 4: good seed 0: held-out 0.500 -> 0.750, 3 s of CPU; about 0:03:00 left\n"
    assert runner.console.file.getvalue() == line


def test_arm_runner__reads_results_of_before_times_were_kept(tmp_path, trainings):
    arm = make_arm("good")
    write_json(arm.folder(tmp_path) / "arm.json", {"name": "good", "seed": 0, "steps": [0], "scores": [0.25]})
    assert make_runner(tmp_path).run([arm])[0].scores == [0.25]
    assert json.loads((arm.folder(tmp_path) / "arm.json").read_text())["scores"] == [0.25]
    assert trainings == []


@pytest.mark.slow
def test_arm_pool__of_several_jobs_trains_every_arm_and_reports_a_lost_one(tmp_path, monkeypatch):
    import launch.bench.ray_arms

    def trained_elsewhere(arm, bench):
        if arm.name == "bad":
            os._exit(7)
        return BenchArm(name=arm.name, seed=arm.seed, steps=[0], scores=[float(arm.seed)], cpu_seconds=1.0)

    monkeypatch.setattr(launch.bench.ray_arms, "result_or_error", trained_elsewhere)
    arms = [*(make_arm("good", seed) for seed in range(3)), make_arm("bad")]
    with arm_pool(2) as pool:
        runner = make_runner(tmp_path, total=4, pool=pool)
        assert [arm.scores for arm in runner.run(arms)] == [[0.0], [1.0], [2.0]]
    assert list(runner.failed) == [("bad", 0)]
    # the results are in the driver's folder, wherever the arms were trained
    assert finished_arm(arms[2], tmp_path) is not None
