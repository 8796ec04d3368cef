"""Ray Train: ranks on a cluster train what one process trains, also when a node is killed."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from launch.ranks.ray_rank import RankLost, cause_of
from rl.common.errors import RunFailure, UserError
from rl.rollouts.workers.ray_session import SESSION_FILE, session_processes
from rl.runs.signals import STOP, UNFINISHED
from tests.launch.multi_rank import DEADLINE, HEED_TRAIN, TWO_RANKS, assert_equal_trainings, heed
from tests.rl.emulated_cluster import emulated_cluster
from tests.rl.grpo_fixtures import HOLD_STEP_3

SMALL = ["rollouts.workers=2", "rollouts.cpus=0.1", "rollouts.object_store_mb=80", "distributed.cpus=0.5"]


class WrappedError(Exception):
    """Stands for Ray Train's wrapper of an error that a rank raised."""

    def __init__(self, failure: Exception):
        self._base_exc = failure


class WorkerFailure(Exception):
    """Stands for Ray Train's error with the failures of its ranks."""

    def __init__(self, *failures: Exception):
        self.worker_failures = dict(enumerate(failures))


def failed(*failures: Exception) -> Exception:
    return cause_of(
        WorkerFailure(*(failure if isinstance(failure, RankLost) else WrappedError(failure) for failure in failures))
    )


def test_cause_of__prefers_the_error_that_explains_most():
    closed = RuntimeError("Connection closed by peer")
    assert str(failed(closed, RunFailure("the disk is full"))) == "the disk is full"
    mistake = failed(closed, UserError("no such file"), RunFailure("later"))
    assert type(mistake) is UserError
    assert str(mistake) == "no such file"


def test_cause_of__an_unexplained_end_is_a_lost_rank():
    assert isinstance(failed(RuntimeError("Connection closed by peer")), RankLost)
    assert isinstance(failed(RankLost("the actor died"), RuntimeError("Connection closed by peer")), RankLost)


def wait_for(happened: Callable[[], bool]) -> None:
    give_up = time.monotonic() + DEADLINE
    while not happened():
        assert time.monotonic() < give_up
        time.sleep(0.1)


def assert_nothing_is_left(run: Path) -> None:
    session = (run / SESSION_FILE).read_text().strip()
    wait_for(lambda: not list(session_processes(session)))


@pytest.mark.slow
@pytest.mark.parametrize("overrides", [SMALL, ["distributed.zero=3"]])
def test_ranks_on_ray_train_what_one_process_trains(overrides, alone, tmp_path):
    run = tmp_path / "run"
    heed("tiny", f"run.folder={run}", *TWO_RANKS, "distributed.launcher=ray", *overrides)
    assert_equal_trainings(run, alone)
    assert_nothing_is_left(run)


@pytest.mark.slow
def test_user_errors_of_ranks_are_one_sentence(tmp_path):
    output = heed(
        "tiny", f"run.folder={tmp_path}", *TWO_RANKS, "distributed.launcher=ray", "data.path=missing.jsonl", code=2
    )
    assert "heed: no data file missing.jsonl" in output
    assert "Traceback" not in output


@pytest.mark.slow
def test_sigterm_saves_the_ranks_and_the_run_resumes(alone, tmp_path):
    run, go = tmp_path / "run", tmp_path / "go"
    settings = [f"run.folder={run}", *TWO_RANKS, "distributed.launcher=ray", "trainer.save_steps=1"]
    with subprocess.Popen(
        [*HEED_TRAIN, "tiny", *settings], env={**os.environ, HOLD_STEP_3: str(go)}, stdout=subprocess.DEVNULL
    ) as driver:
        wait_for((run / "checkpoint-2" / "complete.json").exists)
        driver.send_signal(signal.SIGTERM)
        wait_for((run / STOP).exists)
        go.touch()
        assert driver.wait(DEADLINE) == UNFINISHED
    assert (run / "checkpoint-3" / "complete.json").exists()
    assert not (run / "summary.json").exists()
    heed(f"{run}/config.yaml", f"resume={run}")
    assert_equal_trainings(run, alone)


@pytest.fixture
def two_nodes(monkeypatch, tmp_path) -> Iterator:
    """A head without CPUs, and two nodes that each have room for the whole run."""
    monkeypatch.setenv(HOLD_STEP_3, str(tmp_path / "go"))
    with emulated_cluster(DEADLINE) as cluster:
        yield cluster, [cluster.add_node(num_cpus=2) for _ in range(2)]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_ranks_and_workers_of_a_killed_node_start_again_on_the_other(two_nodes, alone, tmp_path):
    cluster, nodes = two_nodes
    run, go = tmp_path / "run", tmp_path / "go"
    settings = [f"run.folder={run}", *TWO_RANKS, *SMALL, "trainer.save_steps=1", f"rollouts.address={cluster.address}"]
    command = [*HEED_TRAIN, "tiny", *settings, "distributed.nodes=2", "distributed.restarts=1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as driver:
        wait_for((run / "checkpoint-2" / "complete.json").exists)
        cluster.remove_node(nodes[1], allow_graceful=False)
        go.touch()
        output, _ = driver.communicate(timeout=DEADLINE)
    assert driver.returncode == 0, output[-3000:]
    assert "ranks were lost" in output
    assert "Starting again: restart 1 of 1" in output
    assert_equal_trainings(run, alone)
