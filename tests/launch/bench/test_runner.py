"""The runner of arms: none is trained twice, and one that fails does not end the others."""

import io
import json
from dataclasses import asdict

import pytest
from rich.console import Console

import launch.bench.runner
from launch.bench.arms import Arm
from launch.bench.compare import BenchArm
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
        result = BenchArm(name=arm.name, seed=arm.seed, steps=[0, 2], scores=[0.5, 0.75], cpu_seconds=3.0)
        write_json(arm.folder(bench) / "arm.json", asdict(result))
        return result

    monkeypatch.setattr(launch.bench.runner, "train_arm", train)
    return notes


def make_runner(folder, total=3, **changes):
    return ArmRunner(bench=folder, console=Console(file=io.StringIO(), width=40), total=total, **changes)


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
    first.run(arms), first.run(arms)
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
