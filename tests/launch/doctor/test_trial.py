"""The doctor's trials really add up and sample; `heed doctor` fails by its exit code."""

import json

import pytest

from launch.cli.main import main
from launch.doctor import trial
from launch.doctor.trial import try_all_reduce, try_rollout


@pytest.mark.slow
def test_try_all_reduce__two_processes_add_up():
    check = try_all_reduce()
    assert check.level == "pass", check.finding
    assert int(check.finding.partition(" ")[0]) > 0


def test_try_all_reduce__says_why_a_rank_failed(monkeypatch):
    monkeypatch.setattr(trial, "ALL_REDUCE", "raise SystemExit('no interface')")
    check = try_all_reduce()
    assert (check.level, check.finding) == ("fail", "no interface")


@pytest.mark.slow
def test_try_rollout__samples():
    assert try_rollout().level == "pass"


def test_doctor__lists_every_check(capsys, tmp_path):
    with pytest.raises(SystemExit) as stop:
        main(["doctor", "--quick", "--folder", str(tmp_path), "--json"])
    checks = json.loads(capsys.readouterr().out)
    assert {"python", "libraries", "devices", "disk", "clock", "ports", "wandb", "ray"} <= {
        check["name"] for check in checks
    }
    assert stop.value.code == int(any(check["level"] == "fail" for check in checks))
