"""Saved adapters: one that fits is loaded tensor by tensor, any other is refused by the names that do not fit."""

from pathlib import Path

import pytest
import torch
from peft import PeftModel, get_peft_model
from safetensors.torch import load_file, save_file

from rl.common.errors import UserError
from rl.config.model import AdapterConfig
from rl.models.load import load_model
from rl.models.lora import lora_config
from rl.models.saved_adapter import WEIGHTS, adapted, load_weights, read_weights

QUERY = "base_model.model.model.layers.{}.self_attn.q_proj.lora_{}.weight"
IDS = torch.tensor([[5, 6, 7, 8]])


def policy_of(lora: AdapterConfig) -> PeftModel:
    policy = get_peft_model(load_model("tiny"), lora_config(lora))
    assert isinstance(policy, PeftModel)
    return policy


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A saved adapter of rank 2 on the queries of both layers, every value 0.1."""
    policy = policy_of(AdapterConfig(r=2, alpha=2, target_modules=("q_proj",)))
    with torch.no_grad():
        for name, tensor in policy.named_parameters():
            if "lora_" in name:
                tensor.fill_(0.1)
    policy.save_pretrained(str(tmp_path), save_embedding_layers=False)
    return tmp_path


def rename(adapter: Path, old: str, new: str) -> None:
    tensors = {name.replace(old, new): tensor for name, tensor in load_file(adapter / WEIGHTS).items()}
    save_file(tensors, adapter / WEIGHTS)


def test_adapted__equals_peft_s_own_loading(saved):
    ours = adapted(load_model("tiny"), saved)
    theirs = PeftModel.from_pretrained(load_model("tiny"), str(saved))
    base = load_model("tiny")
    assert torch.equal(ours(input_ids=IDS).logits, theirs(input_ids=IDS).logits)
    assert not torch.equal(ours(input_ids=IDS).logits, base(input_ids=IDS).logits)
    assert not any(tensor.requires_grad for tensor in ours.parameters())


def test_adapted__names_the_first_missing_and_the_first_unexpected_tensor(saved):
    rename(saved, "self_attn", "attention")
    with pytest.raises(UserError) as refusal:
        adapted(load_model("tiny"), saved)
    # two layers with A and B each: four tensors are missing, and four are there under other names
    missing = QUERY.format(0, "A")
    assert f"has no tensor {missing} (and 3 more)" in str(refusal.value)
    assert f"the model lacks, {missing.replace('self_attn', 'attention')} (and 3 more)" in str(refusal.value)
    assert str(saved) in str(refusal.value)


def test_adapted__names_the_shapes_of_another_size(saved):
    tensors = load_file(saved / WEIGHTS)
    tensors[QUERY.format(1, "B")] = torch.zeros(3, 2)
    save_file(tensors, saved / WEIGHTS)
    with pytest.raises(UserError, match=r"layers\.1\.self_attn\.q_proj\.lora_B.*torch\.Size\(\[3, 2\]\)"):
        adapted(load_model("tiny"), saved)


def test_adapted__names_a_damaged_file(saved):
    (saved / "adapter_config.json").write_text("{")
    with pytest.raises(UserError, match=r"adapter_config\.json is damaged"):
        adapted(load_model("tiny"), saved)


def test_load_weights__judges_the_adapter_it_loads_alone(saved):
    lora = AdapterConfig(r=2, alpha=2, target_modules=("q_proj",))
    policy = policy_of(lora)
    policy.add_adapter("second", lora_config(lora))
    load_weights(policy, read_weights(saved), source=saved, name="second")
    tensors = {name: tensor for name, tensor in policy.named_parameters() if "q_proj.lora_B" in name}
    assert {name for name, tensor in tensors.items() if tensor.any()} == {n for n in tensors if "second" in n}
