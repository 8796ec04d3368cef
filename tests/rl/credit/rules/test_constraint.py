"""Constraint rules: weights worked out by hand for evidence, for its absence, and for attention to the constraint."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, tensor

from rl.credit.inputs import CreditInputs, Evidence, RuleParams
from rl.credit.rules.constraint import combined, constraint
from rl.credit.rules.rhythm import coupled

PARAMS = RuleParams(q=0.5, gamma_amp=1.5, generator=torch.Generator())
BY_ATTENTION = replace(PARAMS, without_evidence="attention")


def make_inputs(tokens: list[list[int]], *, failed: list[bool], attention: Tensor | None = None) -> CreditInputs:
    """One completion of four tokens."""
    evidence = Evidence(tokens=tensor([tokens]).bool(), failed=tensor([failed]), attention=attention)
    return CreditInputs(mask=torch.ones(1, 4, dtype=torch.bool), entropy=torch.zeros(1, 4), evidence=evidence)


def test_constraint__evidence_gets_its_channel_and_channel_0_is_uniform():
    inputs = make_inputs([[0, 1, 0, 0], [1, 0, 0, 1]], failed=[True, False])
    assert constraint(inputs, PARAMS).tolist() == [[[1, 1, 1, 1], [0, 4, 0, 0], [2, 0, 0, 2]]]


@pytest.mark.parametrize(
    ("tokens", "weights"),
    [
        ([0, 1, 0, 0], [0, 1.5, 0, 0]),
        ([0, 1, 1, 0], [0, 1.5, 1.5, 0]),
        ([0, 1, 1, 1], [0, 4 / 3, 4 / 3, 4 / 3]),  # no more than the whole text's four
        ([1, 1, 1, 1], [1, 1, 1, 1]),
    ],
)
def test_constraint__a_token_of_evidence_weighs_as_set_but_a_channel_no_more_than_the_whole_text(tokens, weights):
    found = constraint(make_inputs([tokens], failed=[True]), replace(PARAMS, evidence_weight=1.5))[0, 1]
    torch.testing.assert_close(found, tensor(weights, dtype=torch.float32))


def test_constraint__a_token_of_evidence_weighs_as_much_in_a_long_text_as_in_a_short_one():
    evidence = Evidence(tokens=(torch.arange(40) == 0).expand(2, 1, 40), failed=torch.ones(2, 1, dtype=torch.bool))
    mask = torch.arange(40) < tensor([[5], [40]])
    weights = constraint(CreditInputs(mask=mask, entropy=torch.zeros(2, 40), evidence=evidence), PARAMS)
    assert weights[:, 1, 0].tolist() == [4.0, 4.0], "else a policy learns to fail in few words"


def test_constraint__a_failure_without_evidence_follows_the_attention_to_its_passage():
    attention = tensor([[[0.5, 2.0, 0.0, 1.5]]])
    inputs = make_inputs([[0, 0, 0, 0]], failed=[True], attention=attention)
    assert constraint(inputs, BY_ATTENTION)[0, 1].tolist() == [0.5, 2.0, 0.0, 1.5]
    doubled = make_inputs([[0, 0, 0, 0]], failed=[True], attention=2 * attention)
    assert torch.equal(constraint(doubled, BY_ATTENTION), constraint(inputs, BY_ATTENTION)), (
        "its mean is 1 however large it is"
    )


@pytest.mark.parametrize(
    ("failed", "attention"),
    [
        (False, tensor([[[0.5, 2.0, 0.0, 1.5]]])),  # satisfied by an absence, which every token leaves alone
        (True, None),  # the probe recorded nothing
        (True, torch.zeros(1, 1, 4)),  # no token attends to it, or its passage is unknown
    ],
)
def test_constraint__without_evidence_and_attention_all_tokens_weigh_alike(failed, attention):
    inputs = make_inputs([[0, 0, 0, 0]], failed=[failed], attention=attention)
    assert constraint(inputs, BY_ATTENTION)[0, 1].tolist() == [1.0] * 4


def test_constraint__a_failure_without_evidence_is_the_whole_texts_by_default():
    inputs = make_inputs(
        [[0, 0, 0, 0], [0, 1, 0, 0]], failed=[True, True], attention=tensor([[[9.0, 2.0, 0.0, 1.5]] * 2])
    )
    weights = constraint(inputs, PARAMS)
    assert weights[0, 1:].tolist() == [[1, 1, 1, 1], [0, 4, 0, 0]]


def test_constraint__evidence_comes_before_attention():
    inputs = make_inputs([[0, 0, 1, 0]], failed=[True], attention=torch.ones(1, 1, 4))
    assert constraint(inputs, BY_ATTENTION)[0, 1].tolist() == [0, 0, 4, 0]


def test_constraint__padding_is_neither_evidence_nor_attention():
    inputs = make_inputs(
        [[0, 0, 0, 1], [0, 0, 0, 0]], failed=[True, True], attention=tensor([[[0.0, 0, 0, 5], [1, 0, 0, 5]]])
    )
    inputs = replace(inputs, mask=tensor([[True, True, True, False]]))
    assert (constraint(inputs, BY_ATTENTION) * inputs.mask).tolist() == [[[1, 1, 1, 0], [1, 1, 1, 0], [3, 0, 0, 0]]]


def test_combined__channel_0_is_the_coupled_rule():
    inputs = make_inputs([[0, 1, 0, 0]], failed=[True])
    probe_readings = replace(inputs, fai=tensor([[0.1, 0.9, 0.8, 0.0]]), waad=tensor([[1.0, 5.0, 1.0, 1.0]]))
    channels = combined(probe_readings, PARAMS)
    expected = coupled(probe_readings, PARAMS)
    torch.testing.assert_close(channels[:, 0], expected / expected.mean())
    assert channels[0, 1].tolist() == [0, 4, 0, 0]
    assert torch.equal(combined(inputs, PARAMS), constraint(inputs, PARAMS)), "the probe recorded nothing"


def test_constraint__needs_evidence():
    with pytest.raises(ValueError, match="needs the evidence of verdicts"):
        constraint(CreditInputs(mask=torch.ones(1, 4).bool(), entropy=torch.zeros(1, 4)), PARAMS)
