"""Set-up of all tests: no connections, quiet libraries, and the lanes that run only on request."""

import os
import sys

# Before anything imports transformers, trl or ray, which read these once.
os.environ.update(
    HF_HUB_OFFLINE="1",
    TOKENIZERS_PARALLELISM="false",
    TRL_EXPERIMENTAL_SILENCE="1",
    RAY_USAGE_STATS_ENABLED="0",
    RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER="0",  # the loopback interface only, and authenticated callers,
    RAY_AUTH_MODE="token",  # as when Heed starts Ray
    WANDB_MODE="offline",
)

from importlib.util import find_spec
from pathlib import Path

import pytest

from rl.models.builtin import builtin_path


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="run the slow tests too (on when CI is set)")


def pytest_configure(config: pytest.Config) -> None:
    """Hide the GPUs from all lanes but their own, also in the processes that tests start: laws are stated for CPUs."""
    if not _chooses_gpu(config.option.markexpr):
        os.environ["CUDA_VISIBLE_DEVICES"] = ""


def _chooses_gpu(markexpr: str) -> bool:
    return "gpu" in markexpr.replace("not gpu", "")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:  # its keywords are no help: they hold the names of its folders, too
        markers = {marker.name for marker in item.iter_markers()}
        for marker, reason in _skipped_markers(config).items():
            if marker in markers:
                item.add_marker(pytest.mark.skip(reason=reason))
        if "vllm" in markers and not find_spec("vllm"):
            item.add_marker(pytest.mark.skip(reason="needs vLLM: run `make setup VLLM=1`"))
        if "gpu" in markers and not _has_gpu():
            item.add_marker(pytest.mark.skip(reason="needs CUDA"))


def _skipped_markers(config: pytest.Config) -> dict[str, str]:
    """Return the markers whose tests are skipped, each with the command that runs them; -m MARKER runs them too."""
    reasons = {"vllm": "run `make test-vllm VLLM=1`"}
    if not os.environ.get("HEED_BENCHMARK_DATA"):
        reasons["benchmark"] = "needs the folder of real data that HEED_BENCHMARK_DATA names"
    if not config.getoption("--slow"):
        reasons["exhaustive"] = "run `make test-slow`"
        if not os.environ.get("CI"):
            reasons["slow"] = "run `make test-slow`"
    return {marker: reason for marker, reason in reasons.items() if marker not in config.option.markexpr}


def _has_gpu() -> bool:
    # Imported here: most of the suite needs no torch to be collected.
    import torch

    return torch.cuda.is_available()


@pytest.fixture(autouse=True)
def threads_stay():
    """Fail a test that changes torch's number of threads: it would change the last bits of later computations."""
    before = "torch" in sys.modules and sys.modules["torch"].get_num_threads()
    yield
    assert not before or sys.modules["torch"].get_num_threads() == before


@pytest.fixture(scope="session")
def benchmark_data() -> Path:
    """Return the folder of real benchmark data, which tests marked `benchmark` read."""
    return Path(os.environ["HEED_BENCHMARK_DATA"])


@pytest.fixture(scope="session")
def smollm2_path() -> Path:
    """Return the folder of the real model. Tests skip on a machine without it, and fail in CI."""
    path = builtin_path()
    if not path.is_dir():
        absent = f"the real model is not at {path}: run `make model`"
        pytest.fail(absent) if os.environ.get("CI") else pytest.skip(absent)
    return path
