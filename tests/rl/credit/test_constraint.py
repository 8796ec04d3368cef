"""Constraint credit: weights worked out by hand for evidence, for its absence, and for what was looked at."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, tensor

from rl.credit.constraint import combined, constraint
from rl.credit.inputs import CreditInputs, Evidence
from rl.credit.rules import RuleParams, coupled

AMPLIFIER = RuleParams(q=0.5, gamma_amp=1.5, generator=torch.Generator())


def make_view(tokens: list[list[int]], *, failed: list[bool], attention: Tensor | None = None) -> CreditInputs:
    """One completion of four tokens."""
    evidence = Evidence(tokens=tensor([tokens]).bool(), failed=tensor([failed]), attention=attention)
    return CreditInputs(mask=torch.ones(1, 4, dtype=torch.bool), entropy=torch.zeros(1, 4), evidence=evidence)


def test_evidence_takes_its_constraint_s_channel_and_the_rest_is_shared():
    inputs = make_view([[0, 1, 0, 0], [1, 0, 0, 1]], failed=[True, False])
    assert constraint(inputs, AMPLIFIER).tolist() == [[[1, 1, 1, 1], [0, 1, 0, 0], [1, 0, 0, 1]]]


def test_a_failure_that_nothing_shows_follows_what_was_paid_to_the_rule():
    attention = tensor([[[0.5, 2.0, 0.0, 1.5]]])
    inputs = make_view([[0, 0, 0, 0]], failed=[True], attention=attention)
    assert constraint(inputs, AMPLIFIER)[0, 1].tolist() == [0.5, 2.0, 0.0, 1.5]


@pytest.mark.parametrize(
    ("failed", "attention"),
    [
        (False, tensor([[[0.5, 2.0, 0.0, 1.5]]])),  # kept by saying nothing: every token did its part
        (True, None),  # nobody listened
        (True, torch.zeros(1, 1, 4)),  # no token looked, or nobody knows where the rule stands
    ],
)
def test_where_nothing_points_anywhere_the_whole_completion_takes_it(failed, attention):
    inputs = make_view([[0, 0, 0, 0]], failed=[failed], attention=attention)
    assert constraint(inputs, AMPLIFIER)[0, 1].tolist() == [1.0] * 4


def test_evidence_comes_before_attention():
    inputs = make_view([[0, 0, 1, 0]], failed=[True], attention=torch.ones(1, 1, 4))
    assert constraint(inputs, AMPLIFIER)[0, 1].tolist() == [0, 0, 1, 0]


def test_what_lies_on_padding_is_no_evidence_and_no_look():
    inputs = make_view(
        [[0, 0, 0, 1], [0, 0, 0, 0]], failed=[True, True], attention=tensor([[[0.0, 0, 0, 5], [1, 0, 0, 5]]])
    )
    inputs = replace(inputs, mask=tensor([[True, True, True, False]]))
    assert (constraint(inputs, AMPLIFIER) * inputs.mask).tolist() == [[[1, 1, 1, 0], [1, 1, 1, 0], [1, 0, 0, 0]]]


def test_combined_shares_the_rest_by_the_coupled_rule():
    inputs = make_view([[0, 1, 0, 0]], failed=[True])
    probe_readings = replace(inputs, fai=tensor([[0.1, 0.9, 0.8, 0.0]]), waad=tensor([[1.0, 5.0, 1.0, 1.0]]))
    channels = combined(probe_readings, AMPLIFIER)
    assert torch.equal(channels[:, 0], coupled(probe_readings, AMPLIFIER))
    assert channels[0, 1].tolist() == [0, 1, 0, 0]
    assert torch.equal(combined(inputs, AMPLIFIER), constraint(inputs, AMPLIFIER)), "nobody listened"


def test_without_evidence_the_rule_cannot_work():
    with pytest.raises(ValueError, match="needs the evidence of verdicts"):
        constraint(CreditInputs(mask=torch.ones(1, 4).bool(), entropy=torch.zeros(1, 4)), AMPLIFIER)
