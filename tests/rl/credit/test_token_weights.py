"""Law 3: what token weights satisfy, whatever a rule returned."""

import hypothesis.extra.numpy as numpy_strategies
import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given
from torch import Tensor, tensor

from rl.common.errors import UserError
from rl.credit.token_weights import (
    WeightCheck,
    normalize_weights,
    strongest_channel,
    token_advantages,
    weights_tensor,
)

SHAPES = numpy_strategies.array_shapes(min_dims=2, max_dims=2, max_side=12)
FLOORS = st.floats(0.0, 1.0)


@st.composite
def weights_and_mask(draw: st.DrawFn) -> tuple[Tensor, Tensor]:
    shape = draw(SHAPES)
    weights = draw(numpy_strategies.arrays(np.float32, shape, elements=st.floats(0.0, 1e4, width=32)))
    mask = draw(numpy_strategies.arrays(np.bool_, shape))
    return torch.from_numpy(weights), torch.from_numpy(mask)


def keep_one(weights: Tensor, mask: Tensor, *, floor: float, preserve_mass: bool) -> Tensor:
    """What becomes of a rule's only channel."""
    channels = normalize_weights(weights, mask, floor=floor, preserve_mass=preserve_mass)
    assert channels.shape == (len(mask), 1, mask.shape[1])
    return channels[:, 0]


@given(weights_and_mask(), FLOORS, st.booleans())
def test_normalize_weights__reach_the_floor_and_vanish_at_padding(drawn, floor, preserve_mass):
    weights, mask = drawn
    kept = keep_one(weights, mask, floor=floor, preserve_mass=preserve_mass)
    assert bool((kept[mask] >= np.float32(floor) - 1e-6).all())
    assert bool((kept[~mask] == 0.0).all())


@given(weights_and_mask(), FLOORS)
def test_normalize_weights__preserved_mass_is_a_masked_mean_of_one(drawn, floor):
    weights, mask = drawn
    kept = keep_one(weights, mask, floor=floor, preserve_mass=True)
    count = mask.sum(dim=1)
    assert torch.allclose(kept.sum(dim=1)[count > 0] / count[count > 0], torch.tensor(1.0), atol=1e-5)


@given(weights_and_mask(), FLOORS)
def test_normalize_weights__keep_the_order_of_the_tokens(drawn, floor):
    weights, mask = drawn
    kept = keep_one(weights, mask, floor=floor, preserve_mass=True)
    for raw, row, real in zip(weights, kept, mask, strict=True):
        in_order = row[real][raw[real].argsort(stable=True)]
        assert bool((in_order.diff() >= 0.0).all())


@given(weights_and_mask(), FLOORS)
def test_normalize_weights__equal_weights_become_exactly_one(drawn, floor):
    _, mask = drawn
    kept = keep_one(torch.ones(mask.shape), mask, floor=floor, preserve_mass=True)
    assert torch.equal(kept, mask.float())


def test_normalize_weights__the_floor_mixes_in_an_equal_share():
    # weights 1 and 3 have mean 2 -> shares 0.5 and 1.5; floor 0.2 -> 0.2 + 0.8 * 0.5 = 0.6 and 0.2 + 0.8 * 1.5 = 1.4
    kept = keep_one(tensor([[1.0, 3.0, 9.0]]), tensor([[True, True, False]]), floor=0.2, preserve_mass=True)
    assert kept.tolist() == [pytest.approx([0.6, 1.4, 0.0])]


def test_normalize_weights__without_preserved_mass_the_floor_only_clips():
    kept = keep_one(tensor([[0.1, 3.0, 9.0]]), tensor([[True, True, False]]), floor=0.25, preserve_mass=False)
    assert kept.tolist() == [[0.25, 3.0, 0.0]]


@pytest.mark.parametrize("weight", [0.0, 1e-45])  # the mean of 1e-45, 1e-45 and 0 has no digit left
def test_normalize_weights__a_row_without_weight_is_shared_equally(weight):
    kept = keep_one(tensor([[weight, weight, 0.0]]), tensor([[True, True, True]]), floor=0.0, preserve_mass=True)
    assert kept.tolist() == [[1.0, 1.0, 1.0]]


@pytest.mark.parametrize("preserve_mass", [True, False])
def test_normalize_weights__carry_no_gradient(preserve_mass):
    weights = torch.ones(2, 3, requires_grad=True) * 2.0
    kept = keep_one(weights, torch.ones(2, 3, dtype=torch.bool), floor=0.0, preserve_mass=preserve_mass)
    assert weights.requires_grad and not kept.requires_grad


@pytest.mark.parametrize("wrong", [-0.1, float("nan"), float("inf")])
def test_weight_check__refuses_a_wrong_weight_of_any_micro_batch(wrong):
    check = WeightCheck()
    for weight in (1.0, wrong, 2.0):
        check.add(tensor([[1.0, weight]]), tensor([[True, True]]))
    with pytest.raises(ValueError, match="negative or non-finite weight"):
        check.raise_if_invalid()
    check.raise_if_invalid()  # what was checked is forgotten


def test_weight_check__ignores_a_wrong_weight_at_padding():
    check = WeightCheck()
    check.add(tensor([[1.0, float("nan")]]), tensor([[True, False]]))
    check.raise_if_invalid()


def test_normalize_weights__ignore_a_wrong_weight_at_padding():
    kept = keep_one(tensor([[1.0, float("nan")]]), tensor([[True, False]]), floor=0.0, preserve_mass=True)
    assert kept.tolist() == [[1.0, 0.0]]


def test_token_advantages__shape_both_signs():
    spread_out = token_advantages(
        tensor([[2.0], [-2.0]]), tensor([[[0.5, 1.5]], [[0.5, 1.5]]]), torch.ones(2, 2).bool(), sign="both"
    )
    assert spread_out.tolist() == [[1.0, 3.0], [-1.0, -3.0]]


def test_token_advantages__sign_positive_leaves_a_negative_advantage_unshaped():
    mask = tensor([[True, True, False], [True, True, False]])
    weights = tensor([[[0.5, 1.5, 0.0]], [[0.5, 1.5, 0.0]]])
    spread_out = token_advantages(tensor([[2.0], [-2.0]]), weights, mask, sign="positive")
    assert spread_out.tolist() == [[1.0, 3.0, 0.0], [-2.0, -2.0, 0.0]]


@given(st.floats(-10.0, 10.0, width=32), st.sampled_from(["both", "positive"]))
def test_token_advantages__of_weights_of_one_are_the_advantage_itself(advantage, sign):
    mask = torch.ones(1, 4, dtype=torch.bool)
    spread_out = token_advantages(tensor([[advantage]]), torch.ones(1, 1, 4), mask, sign=sign)
    assert spread_out.tolist() == [[tensor(advantage).item()] * 4]


@pytest.mark.parametrize("sign", ["both", "positive"])
@pytest.mark.parametrize("floor", [0.0, 0.3])
def test_token_advantages__move_advantage_and_never_make_any(sign, floor):
    # 10,000 random completions; every channel has mean weight 1 over the real tokens, so the token advantages sum to n
    # times the channels' sum
    generator = torch.Generator().manual_seed(0)
    weights = torch.rand(10_000, 3, 12, generator=generator) ** 8 * 1e3
    weights = weights.masked_fill(torch.rand(10_000, 3, 1, generator=generator) < 0.1, 0.0)
    mask = torch.rand(10_000, 12, generator=generator) < torch.rand(10_000, 1, generator=generator)
    advantages = torch.randn(10_000, 3, generator=generator)
    kept = normalize_weights(weights, mask, floor=floor, preserve_mass=True)
    real = mask[:, None].expand_as(kept)
    assert bool((kept[real] >= floor - 1e-6).all()) and bool((kept[~real] == 0.0).all())
    spread_out = token_advantages(advantages, kept, mask, sign=sign)
    assert torch.allclose(spread_out.sum(dim=1), advantages.sum(dim=1) * mask.sum(dim=1), atol=1e-3)
    assert bool((spread_out[~mask] == 0.0).all())


@pytest.mark.parametrize("shape", [(2,), (3, 3), (2, 4), (2, 1, 4), (2, 1, 1, 3)])
def test_normalize_weights__refuse_a_wrong_shape(shape):
    with pytest.raises(ValueError, match=r"must be \(B, T\) or \(B, channels, T\) with \(B, T\) = \(2, 3\)"):
        normalize_weights(torch.ones(shape), torch.ones(2, 3, dtype=torch.bool), floor=0.0, preserve_mass=True)


def test_token_advantages__channels_add_up_token_by_token():
    # channel 0: 2 x (1, 1); channel 1: -1 x (0, 2) -> 2 + 0 and 2 - 2
    spread_out = token_advantages(
        tensor([[2.0, -1.0]]), tensor([[[1.0, 1.0], [0.0, 2.0]]]), torch.ones(1, 2).bool(), sign="both"
    )
    assert spread_out.tolist() == [[2.0, 0.0]]


def test_token_advantages__sign_positive_leaves_a_negative_channel_unshaped():
    spread_out = token_advantages(
        tensor([[2.0, -1.0]]), tensor([[[0.0, 2.0], [0.0, 2.0]]]), torch.ones(1, 2).bool(), sign="positive"
    )
    assert spread_out.tolist() == [[-1.0, 3.0]]


@pytest.mark.parametrize("returned", [[[1.0, 3.0]], np.array([[1, 3]]), torch.tensor([[1.0, 3.0]])])
def test_weights_tensor__takes_lists_and_arrays(returned):
    assert weights_tensor(returned, torch.ones(1, 2, dtype=torch.bool)).tolist() == [[1.0, 3.0]]


@pytest.mark.parametrize("returned", [None, "even", [[1.0], [1.0, 2.0]], {"a": 1}])
def test_weights_tensor__anything_else_is_an_error_that_says_what_came(returned):
    with pytest.raises(UserError, match=rf"a credit rule gave the {type(returned).__name__} .*\(B, T\) = \(1, 2\)"):
        weights_tensor(returned, torch.ones(1, 2, dtype=torch.bool))


def test_strongest_channel__has_the_largest_part_in_the_token_whichever_way():
    # parts by token, channel 0: 1 1 1 0, channel 1: -4 0 -1 0; the third token's are equal, the fourth is padding
    advantages, mask = tensor([[1.0, -2.0]]), tensor([[True, True, True, False]])
    weights = tensor([[[1.0, 1.0, 1.0, 0.0], [2.0, 0.0, 0.5, 0.0]]])
    assert strongest_channel(advantages, weights, mask, sign="both").tolist() == [[1.0, 0.0, 0.0, 0.0]]
    # unshaped, channel 1 takes 2 from each of the three
    assert strongest_channel(advantages, weights, mask, sign="positive").tolist() == [[1.0, 1.0, 1.0, 0.0]]
