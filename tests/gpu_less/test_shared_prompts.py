"""Shared prompts on a device that is not the host: everything that is computed of a batch is where the batch is."""

import torch

from attention_probes.layer import LayerAttention
from rl.models.shared_prompts import SharedPrompts, groups_of

META = torch.device("meta")


def test_shared_prompts__are_packed_and_unpacked_where_the_batch_is():
    groups = groups_of(["a", "b", "a"], [1, 0, 1], [3, 4, 3], [2, 5, 1])
    shared = SharedPrompts(groups, width=9, device=META)
    ids = torch.zeros(3, 9, dtype=torch.long, device=META)
    packed = shared.pack(ids)
    length = packed.shape[1]
    assert length == 3 + 6 and packed.device == META  # of group b, the longer one
    assert shared.allowed.device == META and shared.allowed.shape == (2, 1, length, length)
    assert shared.unpack(torch.zeros(2, length - 1, device=META)).device == META
    heads = torch.zeros(2, 4, length, 8, device=META)
    layer = LayerAttention(query=heads, key=heads[:, :2], mask=shared.allowed, scale=1.0, lse=heads[..., 0])
    unpacked = shared.texts.unpack(layer)
    assert unpacked.device == META and unpacked.query.shape == (3, 4, 9, 8) and unpacked.key.shape == (3, 2, 9, 8)
