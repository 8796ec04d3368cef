"""Verification of an export: an adapter that reproduces the trained model passes, any other is refused by name."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from rl.export.adapter_files import check_files, check_vllm
from rl.export.verify import export_run, plain_peft_logits
from rl.models.load import load_model, model_path
from rl.models.saved_adapter import adapted
from tests.rl.conftest import FinishedRun

PLAIN = {"r": 16, "bias": "none", "use_dora": False, "modules_to_save": None, "target_modules": ["q_proj", "v_proj"]}


@pytest.fixture
def adapter(finished_run: FinishedRun, tmp_path: Path) -> Path:
    """A copy of the finished run's adapter, in a copy of its run folder, to be damaged."""
    shutil.copytree(finished_run.folder, tmp_path / "run")
    return tmp_path / "run" / "adapters" / "default"


def change_tensors(adapter: Path, change: Any) -> None:
    path = adapter / "adapter_model.safetensors"
    tensors = {name: change(name, tensor.clone()) for name, tensor in load_file(path).items()}
    save_file(tensors, path)


def test_export_run__passes_the_trained_adapter(finished_run):
    result = export_run(finished_run.folder)
    assert result["adapter"] == str(finished_run.folder / "adapters" / "default")
    assert result["max_logit_gap"] <= 1e-5
    assert result["vllm_max_lora_rank"] == 16


def test_plain_peft_logits__take_a_base_by_relative_path(finished_run, tmp_path, monkeypatch):
    shutil.copytree(model_path("tiny"), tmp_path / "base")
    monkeypatch.chdir(tmp_path)
    adapter, ids = finished_run.folder / "adapters" / "default", torch.tensor([[5, 6, 7, 8]])
    with torch.no_grad():
        expected = adapted(load_model("./base"), adapter)(input_ids=ids).logits
    for base in ("base", "./base"):
        assert torch.equal(plain_peft_logits(base, adapter, ids), expected)


def test_export_run__refuses_an_adapter_with_other_logits(adapter):
    change_tensors(adapter, lambda name, tensor: tensor * 1.5 if "lora_B" in name else tensor)
    with pytest.raises(ValueError, match=r"does not reproduce the trained model: logits differ by .*allowed 1e-05"):
        export_run(adapter.parent.parent)


def test_export_run__names_a_tensor_for_which_the_base_has_no_module(adapter):
    path = adapter / "adapter_model.safetensors"
    save_file({name.replace(".layers.", ".language_model.layers."): one for name, one in load_file(path).items()}, path)
    with pytest.raises(ValueError, match=r"has no module for base_model\.model\.model\.language_model\.layers\.0\."):
        export_run(adapter.parent.parent)


@pytest.mark.parametrize("name", ["adapter_config.json", "adapter_model.safetensors"])
def test_export_run__names_a_missing_file(name, adapter):
    (adapter / name).unlink()
    with pytest.raises(ValueError, match=f"has no {name}: the run has not finished"):
        export_run(adapter.parent.parent)


def test_export_run__refuses_a_run_without_an_adapter(adapter):
    shutil.rmtree(adapter)
    with pytest.raises(ValueError, match=r"has no adapter_config\.json: the run has not finished; continue it"):
        export_run(adapter.parent.parent)


@pytest.mark.parametrize("size", [0, 7, 1000])
def test_check_files__refuse_a_truncated_file(size, adapter):
    path = adapter / "adapter_model.safetensors"
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(ValueError, match=r"adapter_model\.safetensors is damaged"):
        check_files(adapter)


def test_export_run__refuses_a_damaged_config(adapter):
    path = adapter / "adapter_config.json"
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(ValueError, match=r"adapter_config\.json is damaged"):
        export_run(adapter.parent.parent)


def test_check_files__refuse_an_adapter_that_changes_nothing(adapter):
    change_tensors(adapter, lambda name, tensor: torch.zeros_like(tensor) if "lora_B" in name else tensor)
    with pytest.raises(ValueError, match="every lora_B is zero, so the adapter changes nothing"):
        check_files(adapter)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_check_files__refuse_values_that_are_not_finite(value, adapter):
    def spoil(name: str, tensor: torch.Tensor) -> torch.Tensor:
        tensor.view(-1)[0] = value
        return tensor

    change_tensors(adapter, spoil)
    with pytest.raises(ValueError, match=r"tensor .*lora_.* holds values that are not finite"):
        check_files(adapter)


def test_export_run__refuses_a_folder_that_is_no_run(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"is not a run folder: it has no config\.yaml"):
        export_run(tmp_path)


@pytest.mark.parametrize(("rank", "bound"), [(1, 1), (2, 8), (8, 8), (9, 16), (33, 64), (300, 320), (512, 512)])
def test_check_vllm__gives_the_next_rank_that_vllm_knows(rank, bound):
    assert check_vllm({**PLAIN, "r": rank}) == bound


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("r", 513),
        ("bias", "all"),
        ("use_dora", True),
        ("modules_to_save", ["lm_head"]),
        ("target_modules", ["q_proj", "lm_head"]),
        ("target_modules", ["embed_tokens"]),
    ],
)
def test_check_vllm__names_what_vllm_does_not_serve(name, value):
    with pytest.raises(ValueError, match="vLLM cannot serve this adapter") as refusal:
        check_vllm({**PLAIN, name: value})
    assert f"{name}={value!r}" in str(refusal.value)
