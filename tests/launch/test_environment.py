"""The environment that a command sets before the libraries are imported."""

import os

import pytest

from launch.environment import needs_no_hub, prepare_environment
from rl.common.gpu_environment import GPU_ENVIRONMENT
from rl.config.data import DataConfig
from rl.config.model import ModelConfig
from rl.config.root import Config


def test_prepare_environment__keeps_what_the_user_set(monkeypatch):
    monkeypatch.setenv("TRL_EXPERIMENTAL_SILENCE", "0")
    monkeypatch.delenv("TOKENIZERS_PARALLELISM", raising=False)
    prepare_environment()
    assert os.environ["TRL_EXPERIMENTAL_SILENCE"] == "0"
    assert os.environ["TOKENIZERS_PARALLELISM"] == "false"


def test_needs_no_hub__only_with_model_and_data_on_this_machine(monkeypatch, tmp_path):
    monkeypatch.setenv("HEED_CACHE", str(tmp_path))
    builtin = Config(model=ModelConfig(name="smollm2-135m-instruct"))
    assert needs_no_hub(Config(model=ModelConfig(name="tiny")))
    assert not needs_no_hub(builtin), "it has still to be fetched"
    (tmp_path / "smollm2-135m-instruct").mkdir()
    assert needs_no_hub(builtin)
    assert not needs_no_hub(Config(model=ModelConfig(name="org/some-model")))
    assert not needs_no_hub(Config(model=ModelConfig(name="tiny"), data=DataConfig(path="org/some-data")))


@pytest.mark.parametrize(("driver", "visible", "sets"), [(True, "0", True), (True, "", False), (False, "0", False)])
def test_prepare_environment__sets_the_gpus_variables_where_gpus_can_be_seen(driver, visible, sets, monkeypatch):
    monkeypatch.setattr("launch.environment.has_nvidia_driver", lambda: driver)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    for name in (*GPU_ENVIRONMENT, "DS_ACCELERATOR"):
        monkeypatch.delenv(name, raising=False)
    prepare_environment()
    assert {name: os.environ.get(name) for name in GPU_ENVIRONMENT} == (
        GPU_ENVIRONMENT if sets else dict.fromkeys(GPU_ENVIRONMENT)
    )
    assert os.environ.get("DS_ACCELERATOR") == (None if sets else "cpu")
    for name in (*GPU_ENVIRONMENT, "DS_ACCELERATOR"):
        os.environ.pop(name, None)  # `prepare_environment` writes past monkeypatch
