"""Merging the adapter of a run without routing."""

import json
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM

from rl.common.errors import UserError
from rl.models.load import load_model
from rl.routing.merge import merge_adapter

IDS = torch.tensor([[5, 6, 7, 8]])


@pytest.fixture
def policy(tmp_path: Path) -> PeftModel:
    """Return an adapted model whose adapter lies in the run folder `run`, as a run without routing leaves it."""
    settings = LoraConfig(r=2, target_modules=["q_proj"], init_lora_weights=False, task_type="CAUSAL_LM")
    policy = get_peft_model(load_model("tiny"), settings)
    assert isinstance(policy, PeftModel)
    policy.save_pretrained(str(tmp_path / "run" / "adapters" / "default"))
    return policy.eval()


def test_merge_adapter__of_a_run_without_routing(policy: PeftModel, tmp_path: Path):
    folder = merge_adapter(tmp_path / "run", "default", tmp_path / "merged")
    merged = AutoModelForCausalLM.from_pretrained(str(folder))
    torch.testing.assert_close(merged(input_ids=IDS).logits, policy(input_ids=IDS).logits, atol=1e-4, rtol=0)
    lineage = json.loads((folder / "lineage.json").read_text())
    assert (lineage["adapter"], lineage["base_model"]) == ("default", "tiny")


def test_merge_adapter__names_the_one_adapter(policy: PeftModel, tmp_path: Path):
    with pytest.raises(UserError, match="has no adapter 'upper'; it was trained without routing and has default"):
        merge_adapter(tmp_path / "run", "upper", tmp_path / "merged")
