"""Concentration figures against their closed forms."""

import math

import pytest
import torch
from torch import tensor

from rl.credit.metrics import concentration, effective_token_ratio, gini, overlap


def all_real(count: int) -> torch.Tensor:
    return torch.ones(1, count, dtype=torch.bool)


@pytest.mark.parametrize("count", [1, 2, 7])
def test_equal_weights_are_not_concentrated(count):
    weights = torch.full((1, count), 0.3)
    assert gini(weights, all_real(count)).item() == pytest.approx(0.0, abs=1e-6)
    assert effective_token_ratio(weights, all_real(count)).item() == pytest.approx(1.0)


@pytest.mark.parametrize("count", [2, 5, 40])
def test_one_token_with_everything(count):
    # Gini 1 - 1/n; one effective token of n
    weights = torch.nn.functional.one_hot(tensor([count // 2]), count).float()
    assert gini(weights, all_real(count)).item() == pytest.approx(1 - 1 / count)
    assert effective_token_ratio(weights, all_real(count)).item() == pytest.approx(1 / count)


@pytest.mark.parametrize("count", [2, 5, 40])
def test_weights_one_to_n(count):
    # sum i = n(n+1)/2 and sum i^2 = n(n+1)(2n+1)/6 give Gini (n-1)/3n and (sum i)^2 / (n sum i^2) = 3(n+1)/2(2n+1)
    weights = torch.arange(count, 0, -1, dtype=torch.float32)[None]
    assert gini(weights, all_real(count)).item() == pytest.approx((count - 1) / (3 * count))
    assert effective_token_ratio(weights, all_real(count)).item() == pytest.approx(3 * (count + 1) / (4 * count + 2))


def test_padding_changes_neither():
    weights = tensor([[1.0, 2.0, 3.0, 7.0, 7.0]])
    mask = tensor([[True, True, True, False, False]])
    short = weights[:, :3]
    assert gini(weights, mask).item() == pytest.approx(gini(short, all_real(3)).item())
    assert effective_token_ratio(weights, mask).item() == pytest.approx(
        effective_token_ratio(short, all_real(3)).item()
    )


def test_overlap_is_the_share_of_amplified_tokens_that_the_other_chooses_too():
    # tokens 0 and 1 are amplified; the other's top half are 1 and 3: one of two
    weights, other = tensor([[1.5, 1.5, 1.0, 1.0]]), tensor([[0.0, 0.9, 0.1, 0.8]])
    assert overlap(weights, other, all_real(4), 0.5).item() == 0.5


def test_overlap_of_unamplified_tokens_is_undefined():
    assert math.isnan(overlap(torch.ones(1, 4), torch.rand(1, 4), all_real(4), 0.5).item())


def test_the_first_tokens_overlap_with_position():
    weights, entropy = tensor([[1.5, 1.5, 1.0, 1.0]]), tensor([[0.0, 0.0, 1.0, 1.0]])
    figures = concentration(weights, entropy, all_real(4), 0.5)
    assert figures["credit/overlap_position"] == 1.0
    assert figures["credit/overlap_entropy"] == 0.0


def test_a_completion_that_is_masked_whole_does_not_count():
    # mask_truncated_completions masks such rows; the other row alone has Gini (2-1)/(3*2) = 1/6
    weights = tensor([[1.0, 2.0], [0.0, 0.0]])
    mask = tensor([[True, True], [False, False]])
    figures = concentration(weights, torch.zeros(2, 2), mask, 0.5)
    assert figures["credit/gini"] == pytest.approx(1 / 6)
    assert figures["credit/effective_token_ratio"] == pytest.approx(0.9)


def test_nothing_but_masked_completions_has_no_figures():
    figures = concentration(torch.zeros(2, 3), torch.zeros(2, 3), torch.zeros(2, 3, dtype=torch.bool), 0.5)
    assert all(math.isnan(value) for value in figures.values())
