"""The mix is the adapters' weighted sum, worked out layer by layer, whatever the base's dtype and the scaling."""

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from peft.tuners.lora import LoraLayer

from rl.config.routing import MIX
from rl.models.load import load_model
from rl.routing.mix import weighted_adapter

SHARES = {"left": 0.7, "right": 0.3}


def adapter(rank: int, use_rslora: bool) -> LoraConfig:
    return LoraConfig(
        r=rank, lora_alpha=12, target_modules="all-linear", init_lora_weights=False, use_rslora=use_rslora
    )


@pytest.mark.parametrize("use_rslora", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_weighted_adapter__is_the_weighted_sum(dtype: torch.dtype, use_rslora: bool) -> None:
    policy = get_peft_model(load_model("tiny", dtype=dtype), adapter(4, use_rslora), adapter_name="left")
    assert isinstance(policy, PeftModel)
    policy.add_adapter("right", adapter(2, use_rslora))
    layers = [layer for layer in policy.modules() if isinstance(layer, LoraLayer)]
    expected = [sum(share * layer.get_delta_weight(name) for name, share in SHARES.items()) for layer in layers]
    with weighted_adapter(policy, SHARES):
        mixed = [layer.get_delta_weight(MIX) for layer in layers]
        assert {layer.lora_A[MIX].weight.dtype for layer in layers} == {torch.float32}
    for ours, theirs in zip(mixed, expected, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=1e-6)
    assert set(policy.peft_config) == set(SHARES)
