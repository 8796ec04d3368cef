"""GRPO state: what is saved for a rank comes back bit for bit."""

from typing import Any

import pytest
import torch

from rl.rollouts.ledger import LedgerTotals
from rl.trainers.grpo_state import GRPOState


def make_state(**changes: Any) -> GRPOState:
    totals = LedgerTotals(dispatched=8, trained=3, dropped=1)
    return GRPOState(**{"step": 3, "micro_step": 6, "buffer": None, "ledger_totals": totals, **changes})


def test_buffer__comes_back_bit_for_bit(tmp_path):
    # TRL shares the token count between batches, and its masks are views
    count = torch.tensor(37)
    rows = torch.randn(4, 5, generator=torch.Generator().manual_seed(0))
    buffer = [
        {"advantages": part, "mask": (part > 0).t(), "num_items_in_batch": count, "num_images": None}
        for part in rows.chunk(2)
    ]
    make_state(buffer=buffer).save(tmp_path, rank=0)
    restored = GRPOState.load(tmp_path, "cpu", rank=0).buffer
    assert restored is not None
    for before, after in zip(buffer, restored, strict=True):
        assert after.keys() == before.keys() - {"num_images"}
        assert len(after) == 3 and all(torch.equal(after[name], before[name]) for name in after)


def test_buffer__keeps_its_order_beyond_ten_micro_batches(tmp_path):
    make_state(buffer=[{"index": torch.tensor([index])} for index in range(12)]).save(tmp_path, rank=0)
    restored = GRPOState.load(tmp_path, "cpu", rank=0).buffer
    assert restored is not None
    assert [batch["index"].item() for batch in restored] == list(range(12))


def test_state__is_saved_for_each_rank(tmp_path):
    for rank in (0, 1):
        make_state(buffer=[{"row": [rank]}]).save(tmp_path, rank=rank)
    restored = GRPOState.load(tmp_path, "cpu", rank=1).buffer
    assert restored is not None
    assert restored[0]["row"] == [1]
    with pytest.raises(ValueError, match="nothing for rank 2: resume with as many processes as saved it"):
        GRPOState.load(tmp_path, "cpu", rank=2)


def test_prefetched_completions_and_ledger_totals__come_back(tmp_path):
    # a log-prob that no short decimal has
    state = make_state(prefetched=[{"position": 4, "version": 2, "samples": [{"logprobs": [-0.1 - 2**-52]}]}])
    state.save(tmp_path, rank=0)
    assert GRPOState.load(tmp_path, "cpu", rank=0) == state


def test_off_policy_ratios__come_back_by_row(tmp_path):
    make_state(ratios={5: torch.tensor([0.5, 2.0]), 11: torch.tensor([1.0, 1.0])}).save(tmp_path, rank=0)
    ratios = GRPOState.load(tmp_path, "cpu", rank=0).ratios
    assert {row: values.tolist() for row, values in ratios.items()} == {5: [0.5, 2.0], 11: [1.0, 1.0]}
