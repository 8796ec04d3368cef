"""The doctor's trials really add up and sample; `heed doctor` fails by its exit code."""

import json

import pytest

from launch.cli.main import main
from launch.doctor import trial
from launch.doctor.trial import all_reduce_ranks, check_step, try_all_reduce, try_rollout, try_training


@pytest.mark.slow
def test_try_all_reduce__two_processes_add_up():
    check = try_all_reduce()
    assert check.level == "pass", check.finding
    assert int(check.finding.partition(" ")[0]) > 0


def test_try_all_reduce__says_why_a_rank_failed(monkeypatch):
    monkeypatch.setattr(trial, "ALL_REDUCE", "raise SystemExit('no interface')")
    check = try_all_reduce()
    assert (check.level, check.finding) == ("fail", "no interface")


@pytest.mark.parametrize(("gpus", "tried"), [(0, ("gloo", 2)), (1, ("gloo", 2)), (2, ("nccl", 2)), (8, ("nccl", 8))])
def test_all_reduce_ranks__one_for_each_of_several_gpus(gpus, tried):
    assert all_reduce_ranks(gpus) == tried


@pytest.mark.slow
def test_try_rollout__samples():
    assert try_rollout().level == "pass"


@pytest.mark.slow
def test_try_training__does_one_step():
    check = try_training()
    assert (check.level, check.finding.partition(" on ")[0]) == ("pass", "one step of the tiny model")


def test_try_training__says_why_it_failed(monkeypatch):
    monkeypatch.setattr(trial, "TRAINING", ["trainer.max_step=1"])
    check = try_training()
    assert check.level == "fail" and "trainer.max_step" in check.finding


@pytest.mark.parametrize(("loss", "norm"), [(float("nan"), 1.0), (0.1, float("inf")), (0.1, float("nan"))])
def test_check_step__fails_without_finite_numbers(loss, norm):
    check = check_step({"loss": loss, "grad_norm": norm})
    assert (check.level, check.finding) == ("fail", f"loss {loss}, gradient norm {norm}")
    assert check_step({"loss": 0.1, "grad_norm": 1.0}).level == "pass"


def test_doctor__lists_every_check(capsys, tmp_path):
    with pytest.raises(SystemExit) as stop:
        main(["doctor", "--quick", "--folder", str(tmp_path), "--json"])
    checks = json.loads(capsys.readouterr().out)
    assert {"python", "libraries", "devices", "disk", "clock", "ports", "wandb", "ray"} <= {
        check["name"] for check in checks
    }
    assert stop.value.code == int(any(check["level"] == "fail" for check in checks))
