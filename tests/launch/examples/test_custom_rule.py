"""The example of a custom credit rule: its weights by hand, and a run that uses them."""

import pytest
import torch

from launch.examples.custom_rule import main, uncertain_anchors
from rl.credit.inputs import CreditInputs, RuleParams
from rl.runs.jsonl import read_jsonl


def test_uncertain_anchors__amplify_the_largest_products():
    # Entropy times FAI is 0.2, 0.8, 0.3 and, at padding, 9: half of three real tokens is two, tokens 1 and 2.
    inputs = CreditInputs(
        mask=torch.tensor([[True, True, True, False]]),
        entropy=torch.tensor([[2.0, 1.0, 1.0, 3.0]]),
        fai=torch.tensor([[0.1, 0.8, 0.3, 3.0]]),
        waad=torch.zeros(1, 4),
    )
    weights = uncertain_anchors(inputs, RuleParams(q=0.5, gamma_amp=1.5, generator=torch.Generator()))
    assert weights[0, :3].tolist() == [1.0, 1.5, 1.5]


def test_main__trains_with_the_rule(tmp_path):
    run = main(tmp_path / "run")
    records = read_jsonl(run / "rollouts.jsonl")
    weights = [record["weights"] for record in records if any(record["mask"])]
    assert weights
    for row in weights:
        assert sum(row) / len(row) == pytest.approx(1.0, abs=1e-3)
    assert any(max(row) > 1.1 for row in weights)
