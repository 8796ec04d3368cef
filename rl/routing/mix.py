"""The mix: one adapter that says what several say together, for engines that know no routing."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from peft import PeftModel
from peft.tuners.lora import LoraLayer

MIX = "mix"


@contextmanager
def weighted_adapter(policy: PeftModel, shares: Mapping[str, float]) -> Iterator[None]:
    """Within it, the policy has the adapter `mix`: the sum of each one's share, in the adapters' own dtype."""
    policy.add_weighted_adapter(list(shares), list(shares.values()), MIX, combination_type="cat")
    try:
        for layer in policy.modules():
            if isinstance(layer, LoraLayer) and MIX in layer.lora_A:
                _concatenate(layer, shares)
        yield
    finally:
        policy.delete_adapter(MIX)


@torch.no_grad()
def _concatenate(layer: LoraLayer, shares: Mapping[str, float]) -> None:
    """PEFT rounds a weighted adapter to the base's dtype, and takes rank-stabilised scaling for plain."""
    down: Any = layer.lora_A
    up: Any = layer.lora_B
    factors = {name: share * layer.scaling[name] / layer.scaling[MIX] for name, share in shares.items() if name in down}
    down[MIX].weight.data = torch.cat([down[name].weight * factor for name, factor in factors.items()])
    up[MIX].weight.data = torch.cat([up[name].weight for name in factors], dim=1)
