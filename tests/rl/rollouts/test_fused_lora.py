"""Fused LoRA gives PEFT's own bits, of plain layers alone, for a while."""

from contextlib import nullcontext
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch import nn

from rl.models.load import load_model
from rl.rollouts.fused_lora import fused_lora

TARGETS = ["q_proj", "down_proj"]


def policy(dtype: torch.dtype = torch.float32, **changes: Any) -> Any:
    torch.manual_seed(0)
    settings = LoraConfig(r=4, lora_alpha=7, target_modules=TARGETS, init_lora_weights=False, **changes)
    model = get_peft_model(load_model("tiny", dtype=dtype), settings)
    model.add_adapter("other", settings)
    return model.eval()


def layers_of(model: nn.Module) -> list[Any]:
    return [module for name, module in model.named_modules() if name.rsplit(".", 1)[-1] in TARGETS]


@torch.no_grad()
@pytest.mark.parametrize("active", [["default"], ["other"], ["default", "other"]])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("is_autocast", [False, True])
def test_fused_lora__gives_the_same_bits(active, dtype, is_autocast):
    model, ids = policy(dtype, lora_dropout=0.5), torch.arange(5, 29).reshape(3, 8)
    model.base_model.set_adapter(active)
    with torch.autocast("cpu", torch.bfloat16) if is_autocast else nullcontext():
        expected = model(input_ids=ids).logits
        with fused_lora(model):
            assert all("forward" in vars(layer) for layer in layers_of(model))
            assert torch.equal(model(input_ids=ids).logits, expected)
    with model.disable_adapter():
        assert not torch.equal(model(input_ids=ids).logits, expected)


@torch.no_grad()
def test_fused_lora__leaves_disabled_adapters_out():
    model, ids = policy(), torch.arange(5, 13)[None]
    with model.disable_adapter():
        expected = model(input_ids=ids).logits
    with fused_lora(model), model.disable_adapter():
        assert torch.equal(model(input_ids=ids).logits, expected)


def test_fused_lora__is_undone_even_after_an_error():
    model = policy()
    with pytest.raises(KeyError), fused_lora(model):
        raise KeyError
    assert layers_of(model) and not any("forward" in vars(layer) for layer in layers_of(model))


@pytest.mark.filterwarnings("ignore:`lora_bias=True` was passed")
@pytest.mark.parametrize("changes", [{"use_dora": True}, {"lora_bias": True}])
def test_fused_lora__leaves_other_layers_to_peft(changes):
    model = policy(**changes)
    with fused_lora(model):
        assert layers_of(model) and not any("forward" in vars(layer) for layer in layers_of(model))


def test_fused_lora__leaves_layers_in_training_to_peft():
    model = policy(lora_dropout=0.5).train()
    with fused_lora(model):
        assert not any("forward" in vars(layer) for layer in layers_of(model))
