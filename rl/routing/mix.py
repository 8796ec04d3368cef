"""Mix: one adapter that equals a fixed weighted sum of several, for engines without routing."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from peft import PeftModel
from peft.tuners.lora import LoraLayer

from rl.config.routing import MIX


@contextmanager
def weighted_adapter(policy: PeftModel, shares: Mapping[str, float]) -> Iterator[None]:
    """Give the policy in the block the adapter `mix`: the weighted sum of the others, in their own dtype."""
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
    """Write the exact mix; PEFT rounds it to the base's dtype, and takes rank-stabilised scaling for plain."""
    down: Any = layer.lora_A
    up: Any = layer.lora_B
    factors = {name: share * layer.scaling[name] / layer.scaling[MIX] for name, share in shares.items() if name in down}
    down[MIX].weight.data = torch.cat([down[name].weight * factor for name, factor in factors.items()])
    up[MIX].weight.data = torch.cat([up[name].weight for name in factors], dim=1)
