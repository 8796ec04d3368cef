"""LoRA: modules and layers that the model lacks are refused, and weights start only an adapter that does the same."""

import shutil
from pathlib import Path

import pytest
from peft import PeftModel, get_peft_model

from rl.common.errors import UserError
from rl.config.model import AdapterConfig
from rl.models.load import load_model, model_path
from rl.models.lora import check_base, check_targets, lora_config, start_from
from rl.rollouts.adapter_bytes import adapter_state

LORA = AdapterConfig(r=2, alpha=2, target_modules=("q_proj",))


def policy_of(lora: AdapterConfig) -> PeftModel:
    policy = get_peft_model(load_model("tiny"), lora_config(lora))
    assert isinstance(policy, PeftModel)
    return policy


def saved(folder: Path, lora: AdapterConfig) -> Path:
    policy_of(lora).save_pretrained(str(folder), save_embedding_layers=False)
    return folder


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"target_modules": ("q_proj", "query", "w1")}, "has no module query, w1; its linear modules are down_proj, "),
        ({"layers": (1, 2)}, r"no module of lora\.target_modules in layer 2; it has 2 layers, numbered from 0"),
        ({"target_modules": "proj"}, "has no module proj; its linear modules are down_proj, "),
        ({"target_modules": ("q_proj", "lm_head")}, "names the output layer lm_head, which the loss reads without"),
        ({"exclude_modules": ("query",)}, r"lora\.exclude_modules: the model has no module query to leave out"),
        ({"exclude_modules": ("q_proj",)}, "leaves out every module"),
        ({"layers": (1,), "target_modules": ("layers.0.self_attn.q_proj", "k_proj")}, r"q_proj in lora\.layers"),
    ],
)
def test_check_targets__names_what_the_model_lacks(change, words):
    with pytest.raises(UserError, match=words):
        check_targets(load_model("tiny"), LORA.model_copy(update=change))


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"layers": (0, 1)},
        {"target_modules": "all-linear"},
        {"target_modules": "all-linear", "layers": (1,)},
        {"target_modules": r".*\.q_proj"},
        {"target_modules": "all-linear", "exclude_modules": ("down_proj", "layers.0.self_attn.k_proj")},
        {"target_modules": ("self_attn.q_proj",)},
    ],
)
def test_check_targets__takes_what_the_model_has(change):
    check_targets(load_model("tiny"), LORA.model_copy(update=change))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"r": 4}, "was trained with lora.r=2, got 4; set it alike, or merge it .*heed export RUN --merge default"),
        ({"use_dora": True}, "was trained with lora.use_dora=False, got True"),
        ({"alpha": 4}, "was trained with lora.alpha=2, got 4"),
        ({"use_rslora": True}, "was trained with lora.use_rslora=False, got True"),
        ({"target_modules": ("q_proj", "k_proj")}, "has no tensor .*k_proj"),
        ({"layers": (0,)}, r"has one that the model lacks, .*layers\.1\."),
    ],
)
def test_start_from__refuses_an_adapter_that_would_do_something_else(change, words, tmp_path):
    adapter, policy = saved(tmp_path, LORA), policy_of(LORA.model_copy(update=change))
    with pytest.raises(UserError, match=words):
        start_from(policy, adapter, "tiny")


def test_lora_config__excluded_modules_have_no_adapter():
    policy = policy_of(LORA.model_copy(update={"target_modules": "all-linear", "exclude_modules": ("down_proj",)}))
    adapted = {name.split(".lora_")[0].rpartition(".")[2] for name, _ in policy.named_parameters() if ".lora_" in name}
    assert adapted == {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj"}


def test_lora_config__dora_trains_one_magnitude_for_each_output():
    policy = policy_of(LORA.model_copy(update={"use_dora": True}))
    magnitudes = {name: one.shape for name, one in policy.named_parameters() if "lora_magnitude_vector" in name}
    assert len(magnitudes) == 2 and set(magnitudes.values()) == {(64,)}  # q_proj of both layers, 64 wide
    assert all(name in adapter_state(policy) for name in magnitudes), "workers get them, too"


def test_start_from__refuses_another_base_by_name(tmp_path):
    adapter, policy = saved(tmp_path, LORA), policy_of(LORA)
    with pytest.raises(UserError, match=r"trained on the base model tiny, and model\.name=owner/other"):
        start_from(policy, adapter, "owner/other")


def test_check_base__takes_the_same_files_under_another_name(tmp_path):
    copy = shutil.copytree(model_path("tiny"), tmp_path / "copy")
    (copy / "README.md").write_text("decides no answer")
    check_base(model_path("tiny"), str(copy), source="lora.start=x")
    (copy / "config.json").write_text("{}")
    with pytest.raises(UserError, match="was trained on the base model"):
        check_base(model_path("tiny"), str(copy), source="lora.start=x")
