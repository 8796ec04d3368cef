"""The doctor's checks: each tells a fit machine from an unfit one, and the unfit one what to do."""

import socket
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from launch.doctor.check import Check
from launch.doctor.machine import check_clock, check_disk, check_ports, check_run_folder
from launch.doctor.services import check_models, check_wandb, reachable
from launch.doctor.software import check_python, check_versions, compare


def test_a_finding_without_a_cure_is_refused():
    with pytest.raises(ValueError, match="without saying what to do"):
        Check(name="disk", level="warn", found="full")


@pytest.mark.parametrize(
    ("running", "level"), [((3, 10), "fail"), ((3, 11), "pass"), ((3, 13), "pass"), ((3, 14), "fail")]
)
def test_python(running, level):
    assert check_python(running).level == level


@pytest.mark.parametrize(
    ("needed", "found", "level"),
    [("trl==1.16.0", "1.17.0", "fail"), ("rich>=15,<16", "16.1", "warn"), ("rich>=15,<16", None, "fail")],
)
def test_a_library_outside_its_range(needed, found, level):
    misfit, rest = compare([Requirement(needed)], lambda _: found)
    assert misfit.level == level
    assert f"tested with {Requirement(needed).specifier}" in misfit.found
    assert misfit.fix.startswith("make setup")
    assert rest.found == "0 within their tested ranges"


def test_this_environment_is_within_its_ranges():
    assert [check.level for check in check_versions()] == ["pass"]


def test_a_port_in_use_is_told():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        check = check_ports({port: "a test"})
    assert (check.level, check.found) == ("warn", f"in use: {port} (a test)")
    assert check_ports({port: "a test"}).level == "pass"


def test_a_folder_that_does_not_exist_yet_is_judged_by_the_one_above(tmp_path):
    folder, clock = check_run_folder(tmp_path / "runs" / "deep")
    assert (folder.level, folder.found) == ("pass", f"{tmp_path} can be written")
    assert clock.level == "pass"
    assert list(tmp_path.iterdir()) == [], "the check leaves nothing"


def test_a_folder_that_cannot_be_written():
    (check,) = check_run_folder(Path("/proc"))
    assert check.level == "fail"
    assert check.fix == "set run.folder to a folder you may write"


@pytest.mark.parametrize(("skew", "level"), [(1.9, "pass"), (2.1, "warn")])
def test_the_clock(skew, level):
    assert check_clock(skew).level == level


def test_a_full_disk_is_told(monkeypatch, tmp_path):
    from launch.doctor import machine

    monkeypatch.setattr(machine, "DISK_FOR_A_RUN", 1e18)
    assert check_disk(tmp_path).level == "warn"


def test_wandb_offline_asks_nothing(monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    assert check_wandb().found == "offline: figures stay in the run folder"


def test_wandb_that_does_not_answer_is_told(monkeypatch):
    from launch.doctor import services

    monkeypatch.setenv("WANDB_MODE", "online")
    monkeypatch.setattr(services, "WANDB", closed_port())
    check = check_wandb()
    assert check.level == "warn" and "WANDB_MODE=offline" in check.fix


def test_an_offline_hub_is_not_asked(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert [check.level for check in check_models()][1] == "pass"


def test_nobody_answers_at_a_closed_port():
    assert not reachable(closed_port())


def closed_port() -> tuple[str, int]:
    """An address that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()
