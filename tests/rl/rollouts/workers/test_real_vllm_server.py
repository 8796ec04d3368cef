"""Training on a real vLLM server, and an export that it checks: what the fake server stands for."""

from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from launch.recipes import load_recipe
from rl.export.verify import export_run
from rl.export.vllm_check import check_with_vllm
from rl.runs.jsonl import read_jsonl
from rl.train import train
from tests.rl.grpo_fixtures import EVEN_SHARE
from tests.rl.rollouts.real_vllm_server import real_vllm_server
from tests.rl.rollouts.served_model import save_served_model
from tests.rl.rollouts.workers.test_server_training import events_of, totals_of

pytestmark = pytest.mark.vllm


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_served_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def url(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with real_vllm_server(model, tmp_path_factory.mktemp("log") / "vllm.log") as url:
        yield url


@pytest.fixture(scope="module")
def run(model: Path, url: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run that the server sampled for, a batch ahead and below temperature 1."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    overrides = [
        f"model.name={model}",
        "rollouts.engine=vllm_server",
        f"rollouts.url={url}",
        "rollouts.groups_per_unit=1",
        "rollouts.max_staleness=1",
        "trainer.temperature=0.7",
        f"rewards.functions=[{EVEN_SHARE}]",
        f"run.folder={folder}",
    ]
    return train(load_recipe("tiny", overrides))


def test_training__samples_with_the_learners_policy_and_leaves_nothing_behind(run, url):
    steps = [line for line in read_jsonl(run / "metrics.jsonl") if "loss" in line]
    assert [line["sync/staleness_max"] for line in steps] == [0.0, 1.0, 1.0, 1.0]
    assert all(line["sync/probe_gap"] <= 1e-4 for line in steps)
    assert all(line["sync/logp_gap_max"] <= 1e-4 for line in steps if not line["sync/staleness_max"])
    totals = totals_of(run)
    assert totals.dispatched == totals.trained > 0 == totals.dropped == len(events_of(run, "reissued"))
    served = [model["id"] for model in httpx2.get(f"{url}/v1/models").json()["data"] if model["parent"]]
    assert served == []


def test_export__is_checked_by_the_server(run, url):
    assert check_with_vllm(run, url, 16)["vllm_max_logprob_gap"] <= 1e-4


def test_export__is_checked_by_a_vllm_of_its_own(run):
    rank = export_run(run)["vllm_max_lora_rank"]
    assert check_with_vllm(run, "vllm", rank)["vllm_max_logprob_gap"] <= 1e-4
