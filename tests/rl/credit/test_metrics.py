"""Concentration metrics against their closed forms."""

import math

import pytest
import torch
from torch import tensor

from rl.credit.inputs import CreditInputs
from rl.credit.metrics import (
    ConcentrationMetrics,
    decile,
    effective_token_ratio,
    gini,
    marked,
    mean_where,
    overlap,
    share_on,
)


def all_real(count: int) -> torch.Tensor:
    return torch.ones(1, count, dtype=torch.bool)


def concentration(weights, entropy, mask, q, *, ids=None, punctuation=None) -> dict[str, float]:
    ids = torch.zeros(mask.shape, dtype=torch.long) if ids is None else ids
    generator = torch.Generator().manual_seed(0)
    inputs = CreditInputs(mask=mask, entropy=entropy)
    metrics = ConcentrationMetrics(q=q, punctuation=punctuation).measure(weights, inputs, ids, generator=generator)
    return {name: value.item() for name, value in metrics.items()}


@pytest.mark.parametrize("count", [1, 2, 7])
def test_gini_and_ratio__of_equal_weights(count):
    weights = torch.full((1, count), 0.3)
    assert gini(weights, all_real(count)).item() == pytest.approx(0.0, abs=1e-6)
    assert effective_token_ratio(weights, all_real(count)).item() == pytest.approx(1.0)


@pytest.mark.parametrize("count", [2, 5, 40])
def test_gini_and_ratio__of_one_token_with_all_weight(count):
    # Gini 1 - 1/n; one effective token of n
    weights = torch.nn.functional.one_hot(tensor([count // 2]), count).float()
    assert gini(weights, all_real(count)).item() == pytest.approx(1 - 1 / count)
    assert effective_token_ratio(weights, all_real(count)).item() == pytest.approx(1 / count)


@pytest.mark.parametrize("count", [2, 5, 40])
def test_gini_and_ratio__of_weights_one_to_n(count):
    # sum i = n(n+1)/2 and sum i^2 = n(n+1)(2n+1)/6 give Gini (n-1)/3n and (sum i)^2 / (n sum i^2) = 3(n+1)/2(2n+1)
    weights = torch.arange(count, 0, -1, dtype=torch.float32)[None]
    assert gini(weights, all_real(count)).item() == pytest.approx((count - 1) / (3 * count))
    assert effective_token_ratio(weights, all_real(count)).item() == pytest.approx(3 * (count + 1) / (4 * count + 2))


def test_gini_and_ratio__ignore_padding():
    weights = tensor([[1.0, 2.0, 3.0, 7.0, 7.0]])
    mask = tensor([[True, True, True, False, False]])
    short = weights[:, :3]
    assert gini(weights, mask).item() == pytest.approx(gini(short, all_real(3)).item())
    assert effective_token_ratio(weights, mask).item() == pytest.approx(
        effective_token_ratio(short, all_real(3)).item()
    )


def test_overlap__is_the_share_of_amplified_tokens_that_the_other_chooses_too():
    # tokens 0 and 1 are amplified; the other's top half are 1 and 3: one of two
    weights, other = tensor([[1.5, 1.5, 1.0, 1.0]]), tensor([[0.0, 0.9, 0.1, 0.8]])
    assert overlap(weights, other, all_real(4), 0.5).item() == 0.5


def test_overlap__is_nan_when_no_token_is_amplified():
    assert math.isnan(overlap(torch.ones(1, 4), torch.rand(1, 4), all_real(4), 0.5).item())


def test_concentration__the_first_tokens_overlap_with_position():
    weights, entropy = tensor([[1.5, 1.5, 1.0, 1.0]]), tensor([[0.0, 0.0, 1.0, 1.0]])
    metrics = concentration(weights, entropy, all_real(4), 0.5)
    assert metrics["credit/overlap_position"] == 1.0
    assert metrics["credit/overlap_entropy"] == 0.0


def test_concentration__leaves_out_completions_without_real_tokens():
    # mask_truncated_completions masks such rows; the other row alone has Gini (2-1)/(3*2) = 1/6
    weights = tensor([[1.0, 2.0], [0.0, 0.0]])
    mask = tensor([[True, True], [False, False]])
    metrics = concentration(weights, torch.zeros(2, 2), mask, 0.5)
    assert metrics["credit/gini"] == pytest.approx(1 / 6)
    assert metrics["credit/effective_token_ratio"] == pytest.approx(0.9)


def test_decile__cuts_the_real_tokens_into_tenths():
    mask = torch.arange(25)[None] < 20
    tenths = [decile(mask, number).nonzero()[:, 1].tolist() for number in range(10)]
    assert tenths == [[first, first + 1] for first in range(0, 20, 2)]


def test_decile__every_real_token_is_in_one():
    mask = torch.rand(5, 37, generator=torch.Generator().manual_seed(0)) < 0.7
    assert torch.equal(sum(decile(mask, number).long() for number in range(10)), mask.long())


def test_share_on__counts_the_weight_of_the_chosen_tokens():
    # 3 of 1 + 3 + 4; the padding's weight of 9 does not count
    mask = tensor([[True, True, True, False]])
    share = share_on(tensor([[False, True, False, True]]), tensor([[1.0, 3.0, 4.0, 9.0]]), mask)
    assert share.tolist() == [3 / 8]


def test_mean_where__is_over_the_counted_values():
    counted = tensor([True, False, True])
    assert mean_where(tensor([1.0, math.nan, 4.0]), counted).item() == 2.5
    assert math.isnan(mean_where(torch.ones(3), counted & False).item())


def test_marked__ids_beyond_the_vocabulary_are_not():
    assert marked(tensor([[0, 1, 2, 7]]), tensor([False, True, True])).tolist() == [[False, True, True, False]]


def test_concentration__measures_weight_on_punctuation_and_on_the_ends():
    # tokens a , b . with weights 1 2 1 4: 6 of 8 on punctuation; the first decile is the first token, the last is none
    punctuation = tensor([False, True, False, True])
    weights, ids = tensor([[1.0, 2.0, 1.0, 4.0]]), torch.arange(4)[None]
    metrics = concentration(weights, torch.zeros(1, 4), all_real(4), 0.5, ids=ids, punctuation=punctuation)
    assert metrics["credit/punctuation_share"] == 6 / 8
    assert metrics["credit/first_decile_share"] == 1 / 8
    assert metrics["credit/last_decile_share"] == 0.0


def test_concentration__without_a_vocabulary_there_is_no_punctuation_share():
    assert "credit/punctuation_share" not in concentration(torch.ones(1, 4), torch.zeros(1, 4), all_real(4), 0.5)


def test_concentration__the_rule_random_overlaps_fully_with_random():
    from rl.credit.inputs import RuleParams
    from rl.credit.rules.controls import random

    inputs = CreditInputs(mask=all_real(40), entropy=torch.zeros(1, 40))
    weights = random(inputs, RuleParams(q=0.4, gamma_amp=1.5, generator=torch.Generator().manual_seed(0)))
    assert concentration(weights, inputs.entropy, inputs.mask, 0.4)["credit/overlap_random"] == 1.0


def test_concentration__is_nan_where_all_is_masked():
    nothing = torch.zeros(2, 3)
    metrics = concentration(nothing, nothing, nothing.bool(), 0.5, punctuation=tensor([True]))
    assert len(metrics) == 8 and all(math.isnan(value) for value in metrics.values())
