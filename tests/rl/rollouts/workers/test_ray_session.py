"""Ray's session: processes that belong to it are pids by its name, ended, and no others."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from rl.rollouts.workers.ray_session import (
    end_recorded_session,
    end_session,
    ending_children_on_error,
    record_session,
    session_processes,
)

SESSION = "session_2026-01-02_03-04-05_678901_4242"
SAYS_READY = "import time; print('ready', flush=True); time.sleep(600)"


@pytest.fixture
def named() -> Iterator[subprocess.Popen]:
    """A process with the session's name in its command line, as Ray's raylet has."""
    process = subprocess.Popen([sys.executable, "-c", SAYS_READY, SESSION], stdout=subprocess.PIPE)
    assert process.stdout is not None and process.stdout.readline() == b"ready\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


@pytest.fixture
def logging_there(tmp_path: Path) -> Iterator[subprocess.Popen]:
    """A process that only has a log of the session open, as Ray's agents do after they rename themselves."""
    log = tmp_path / SESSION / "logs" / "agent.log"
    log.parent.mkdir(parents=True)
    with log.open("w") as file:
        process = subprocess.Popen([sys.executable, "-c", SAYS_READY], stdout=subprocess.PIPE, stderr=file)
    assert process.stdout is not None and process.stdout.readline() == b"ready\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_session_processes__are_pids_by_name_and_by_log(named, logging_there):
    pids = {process.pid for process in session_processes(SESSION)}
    assert pids == {named.pid, logging_there.pid}


def test_end_session__ends_its_processes_and_no_others(named, logging_there):
    assert end_session("session_of_somebody_else") == 0
    assert named.poll() is None
    assert end_session(SESSION) == 2
    assert list(session_processes(SESSION)) == []


def test_recorded_session__is_ended_once(named, tmp_path, caplog):
    record_session(tmp_path, SESSION)
    assert end_recorded_session(tmp_path) == 1
    assert "ended 1 Ray processes that the killed run had left behind" in caplog.text
    assert end_recorded_session(tmp_path) == 0


def test_session_processes__refuse_a_name_that_could_match_anything():
    with pytest.raises(ValueError, match="'' is not the name of a Ray session"):
        list(session_processes(""))


def test_ending_children_on_error__leaves_no_process_behind():
    with pytest.raises(ZeroDivisionError), ending_children_on_error():
        child = subprocess.Popen([sys.executable, "-c", SAYS_READY], stdout=subprocess.DEVNULL)
        _ = 1 / 0
    child.wait(timeout=60.0)
    assert not psutil.pid_exists(child.pid)


def test_end_recorded_session__spares_the_session_it_runs_in(named, tmp_path):
    log = tmp_path / SESSION / "logs" / "rank.log"
    log.parent.mkdir(parents=True)
    record_session(tmp_path, SESSION)
    with log.open("w"):  # as a rank that Ray started has
        assert end_recorded_session(tmp_path) == 0
    assert named.poll() is None
    assert end_recorded_session(tmp_path) == 1
