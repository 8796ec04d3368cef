"""The doctor's trials really add up and really sample; the verb tells by its exit code."""

import json

import pytest

from launch.cli.main import main
from launch.doctor import trial
from launch.doctor.trial import try_all_reduce, try_rollout


@pytest.mark.slow
def test_two_processes_add_up():
    check = try_all_reduce()
    assert check.level == "pass", check.found
    assert int(check.found.partition(" ")[0]) > 0


def test_a_rank_that_breaks_is_told(monkeypatch):
    monkeypatch.setattr(trial, "ALL_REDUCE", "raise SystemExit('no interface')")
    check = try_all_reduce()
    assert (check.level, check.found) == ("fail", "no interface")


@pytest.mark.slow
def test_a_rollout_samples():
    assert try_rollout().level == "pass"


def test_the_verb_lists_every_check(capsys, tmp_path):
    with pytest.raises(SystemExit) as stop:
        main(["doctor", "--quick", "--folder", str(tmp_path), "--json"])
    checks = json.loads(capsys.readouterr().out)
    assert {"python", "libraries", "devices", "disk", "clock", "ports", "wandb", "ray"} <= {
        check["name"] for check in checks
    }
    assert stop.value.code == int(any(check["level"] == "fail" for check in checks))
