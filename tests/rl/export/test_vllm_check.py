"""The check of an export by vLLM: here against a fake server and without vLLM, marked `vllm` against the real one."""

from pathlib import Path

import pytest

from rl.common.errors import UserError
from rl.export import vllm_check
from rl.export.vllm_check import check_with_vllm, require_check
from tests.rl.conftest import FinishedRun
from tests.rl.rollouts.fake_vllm_server import FakeVllmServer


def test_check__by_a_server_compares_and_leaves_nothing_there(finished_run: FinishedRun):
    with FakeVllmServer() as server:
        result = check_with_vllm(finished_run.folder, f"{server.url}/v1", 16)
        assert len(server.names) == 1
        assert server.adapters == {}
    assert result["vllm_max_logprob_gap"] == result["vllm_logprob_gaps"]["default"] < 1e-5


def test_check__notices_an_adapter_that_the_server_samples_without(finished_run: FinishedRun):
    with (
        FakeVllmServer(ignores_adapters=True) as server,
        pytest.raises(UserError, match=r"adapters/default: vLLM's log-probs differ .* it samples without it"),
    ):
        check_with_vllm(finished_run.folder, server.url, 16)


def test_check__names_what_the_server_refuses(finished_run: FinishedRun):
    with FakeVllmServer(max_lora_rank=2) as server, pytest.raises(UserError, match="greater than max_lora_rank 2"):
        check_with_vllm(finished_run.folder, server.url, 16)
    with pytest.raises(UserError, match=rf"{server.url} does not answer"):
        check_with_vllm(finished_run.folder, server.url, 16)


def test_require_check__says_how_to_get_vllm_or_to_do_without(monkeypatch):
    monkeypatch.setattr(vllm_check, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"install it with .*--check http://127.0.0.1:8000"):
        require_check("vllm")
    with pytest.raises(UserError, match="--check vlm is unknown; expected vllm, or the address"):
        require_check("vlm")


def test_check__gives_the_reason_of_a_vllm_that_does_not_start(finished_run: FinishedRun, monkeypatch, tmp_path: Path):
    # stands for vLLM: the program finds this module first, and fails as vLLM does, with the reason in the last line
    (tmp_path / "vllm.py").write_text("raise ValueError('Available memory (1 GiB) is less than desired (2 GiB)')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(vllm_check, "find_spec", lambda name: object())
    with pytest.raises(UserError, match=r"(?s)vLLM with the adapters could not be loaded:.*less than desired"):
        check_with_vllm(finished_run.folder, "vllm", 16)
