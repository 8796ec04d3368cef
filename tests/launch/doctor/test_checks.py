"""The doctor's checks: each tells a fit machine from an unfit one, and says what to do about the latter."""

import socket
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from launch.doctor.check import Check
from launch.doctor.machine import check_clock, check_disk, check_ports, check_run_folder
from launch.doctor.services import check_models, check_wandb, reachable
from launch.doctor.software import check_python, check_versions, compare


def test_check__needs_a_fix_unless_it_passes():
    with pytest.raises(ValueError, match="without a fix"):
        Check(name="disk", level="warn", finding="full")


@pytest.mark.parametrize(
    ("running", "level"), [((3, 10), "fail"), ((3, 11), "pass"), ((3, 13), "pass"), ((3, 14), "fail")]
)
def test_check_python__supported_versions(running, level):
    assert check_python(running).level == level


@pytest.mark.parametrize(
    ("needed", "present", "level"),
    [("trl==1.16.0", "1.17.0", "fail"), ("rich>=15,<16", "16.1", "warn"), ("rich>=15,<16", None, "fail")],
)
def test_compare__a_library_outside_its_range(needed, present, level):
    misfit, rest = compare([Requirement(needed)], lambda _: present)
    assert misfit.level == level
    assert f"tested with {Requirement(needed).specifier}" in misfit.finding
    assert misfit.fix.startswith("make setup")
    assert rest.finding == "0 within their tested ranges"


def test_check_versions__this_environment_fits():
    assert [check.level for check in check_versions()] == ["pass"]


def test_check_ports__names_the_one_in_use():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        check = check_ports({port: "a test"})
    assert (check.level, check.finding) == ("warn", f"in use: {port} (a test)")
    assert check_ports({port: "a test"}).level == "pass"


def test_check_run_folder__a_missing_one_is_judged_by_its_parent(tmp_path):
    folder, clock = check_run_folder(tmp_path / "runs" / "deep")
    assert (folder.level, folder.finding) == ("pass", f"{tmp_path} can be written")
    assert clock.level == "pass"
    assert list(tmp_path.iterdir()) == [], "the check leaves nothing"


def test_check_run_folder__that_cannot_be_written():
    (check,) = check_run_folder(Path("/proc"))
    assert check.level == "fail"
    assert check.fix == "set run.folder to a folder you may write"


@pytest.mark.parametrize(("skew", "level"), [(1.9, "pass"), (2.1, "warn")])
def test_check_clock__allows_two_seconds(skew, level):
    assert check_clock(skew).level == level


def test_check_disk__warns_when_it_is_full(monkeypatch, tmp_path):
    from launch.doctor import machine

    monkeypatch.setattr(machine, "DISK_FOR_A_RUN", 1e18)
    assert check_disk(tmp_path).level == "warn"


def test_check_wandb__offline_opens_no_connection(monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    assert check_wandb().finding == "offline: metrics stay in the run folder"


def test_check_wandb__warns_when_the_server_does_not_answer(monkeypatch):
    from launch.doctor import services

    monkeypatch.setenv("WANDB_MODE", "online")
    monkeypatch.setattr(services, "WANDB", closed_port())
    check = check_wandb()
    assert check.level == "warn" and "WANDB_MODE=offline" in check.fix


def test_check_models__an_offline_hub_gets_no_connection(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert [check.level for check in check_models()][1] == "pass"


def test_reachable__not_at_a_closed_port():
    assert not reachable(closed_port())


def closed_port() -> tuple[str, int]:
    """Return an address that nothing listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()
