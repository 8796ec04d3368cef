"""A Ray job, really submitted to a cluster on this machine, trains the tiny recipe."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from launch.cluster.render import render
from launch.cluster.spec import ClusterSpec
from launch.recipes import load_recipe

CHECKOUT = Path(__file__).resolve().parents[3]
TIMEOUT_SECONDS = 600
"""Seconds for a job that takes half a minute on an idle machine."""

NOTHING = "true"


@pytest.fixture
def jobs_address(monkeypatch):
    """Where a cluster of this test's own takes jobs."""
    ray = pytest.importorskip("ray")
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")  # a job finds its Python there
    context = ray.init(num_cpus=2, include_dashboard=True, dashboard_port=0, object_store_memory=100_000_000)
    address = f"http://{context.dashboard_url}"
    wait_for_an_agent(address)
    yield address
    ray.shutdown()


def wait_for_an_agent(address: str) -> None:
    """The dashboard answers before the agent that runs jobs does: ask it to do nothing until it does."""
    from ray.job_submission import JobSubmissionClient

    client, deadline = JobSubmissionClient(address), time.monotonic() + TIMEOUT_SECONDS
    while True:
        try:
            client.submit_job(entrypoint=NOTHING)
            return
        except RuntimeError as error:
            if "No available agent" not in str(error) or time.monotonic() > deadline:
                raise
        time.sleep(0.2)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # Ray's dashboard leaves sockets open
def test_a_submitted_job_trains(jobs_address, tmp_path):
    from ray.job_submission import JobSubmissionClient

    config = load_recipe("tiny", ["trainer.max_steps=1", "data.held_out=0", "trainer.save_steps=1"])
    script = tmp_path / "job.sh"
    script.write_text(render("ray-job", config, ClusterSpec(checkout=str(CHECKOUT), runs=str(tmp_path / "runs"))))
    environment = {**os.environ, "RAY_API_SERVER_ADDRESS": jobs_address}
    environment.pop("RAY_ADDRESS", None)
    done = subprocess.run(
        ["bash", str(script)], env=environment, capture_output=True, text=True, timeout=TIMEOUT_SECONDS
    )
    assert done.returncode == 0, done.stderr
    client = JobSubmissionClient(jobs_address)
    # Ray lists the driver of this test as a job too, which nobody submitted.
    (job,) = (job for job in client.list_jobs() if job.submission_id and job.entrypoint != NOTHING)
    # the log ends when the job does
    follow = ["ray", "job", "logs", "--address", jobs_address, "--follow", job.submission_id]
    log = subprocess.run(follow, env=environment, capture_output=True, text=True, timeout=TIMEOUT_SECONDS)
    assert client.get_job_status(job.submission_id) == "SUCCEEDED", log.stdout[-2000:]
    assert (tmp_path / "runs" / "tiny" / "adapters" / "default" / "adapter_model.safetensors").is_file()
