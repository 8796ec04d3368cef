"""Credit rules against weights worked out by hand."""

from dataclasses import replace

import pytest
import torch
from torch import tensor

from rl.credit.inputs import CreditInputs, RuleParams
from rl.credit.rules.controls import all_heads, bottom, entropy, position, random, shuffled, uniform
from rl.credit.rules.parts import amplify
from rl.credit.rules.rhythm import coupled, global_anchor, local_chunk


def make_inputs(num_tokens: int = 5, **changes) -> CreditInputs:
    mask = torch.ones(1, num_tokens, dtype=torch.bool)
    return replace(CreditInputs(mask=mask, entropy=torch.zeros(1, num_tokens)), **changes)


def make_params(*, q: float = 0.4, gamma_amp: float = 1.5, seed: int = 0) -> RuleParams:
    return RuleParams(q=q, gamma_amp=gamma_amp, generator=torch.Generator().manual_seed(seed))


def test_uniform__weighs_every_token_the_same():
    assert uniform(make_inputs(), make_params()).tolist() == [[1.0] * 5]


def test_amplify__gives_gamma_amp():
    assert amplify(tensor([[True, False, True]]), 1.5).tolist() == [[1.5, 1.0, 1.5]]


def test_global_anchor__amplifies_the_highest_fai():
    # q 0.4 of 5 tokens are 2: those with FAI 0.5 and 0.3
    inputs = make_inputs(fai=tensor([[0.1, 0.5, 0.2, 0.3, 0.0]]), waad=torch.zeros(1, 5))
    assert global_anchor(inputs, make_params()).tolist() == [[1.0, 1.5, 1.0, 1.5, 1.0]]


def test_global_anchor__counts_real_tokens_only():
    # 3 real tokens, q 0.4 -> ceil(1.2) = 2 amplified; the padding's reading is the highest, and is passed over
    mask = tensor([[True, True, True, False, False]])
    inputs = make_inputs(mask=mask, fai=tensor([[0.1, 0.5, 0.2, 0.9, 0.9]]), waad=torch.zeros(1, 5))
    assert (global_anchor(inputs, make_params()) * mask).tolist() == [[1.0, 1.5, 1.5, 0.0, 0.0]]


def test_controls__amplify_by_position_by_entropy_and_by_the_lowest_fai():
    # q 0.4 of 5 tokens are 2 each time
    inputs = make_inputs(entropy=tensor([[0.2, 0.1, 0.9, 0.3, 0.0]]), fai=tensor([[0.1, 0.5, 0.2, 0.3, 0.0]]))
    inputs = replace(inputs, waad=torch.zeros(1, 5))
    assert position(inputs, make_params()).tolist() == [[1.5, 1.5, 1.0, 1.0, 1.0]]
    assert entropy(inputs, make_params()).tolist() == [[1.0, 1.0, 1.5, 1.5, 1.0]]
    assert bottom(inputs, make_params()).tolist() == [[1.5, 1.0, 1.0, 1.0, 1.5]]


RHYTHM = {
    # 12 tokens. Jumps |WAAD_t - WAAD_{t+1}|: 0 0 4 0 0 0 3 0 0 0 0 and 0 for the last: token 2 and token 6 stand out.
    "waad": tensor([[5.0, 5.0, 5.0, 1.0, 1.0, 1.0, 1.0, 4.0, 4.0, 4.0, 4.0, 4.0]]),
    # q 1/6 of 12 tokens are 2 anchors: token 4 (right after the jump at 2) and token 10 (no jump among 7, 8 and 9).
    "fai": tensor([[0.0, 0.0, 0.1, 0.1, 0.9, 0.1, 0.1, 0.1, 0.1, 0.1, 0.8, 0.0]]),
}


def test_local_chunk__amplifies_the_largest_changes_of_waad():
    weights = local_chunk(make_inputs(12, **RHYTHM), make_params(q=1 / 6))
    assert weights.tolist() == [[1.0, 1.0, 1.5, 1.0, 1.0, 1.0, 1.5, 1.0, 1.0, 1.0, 1.0, 1.0]]


def test_coupled__hands_a_share_of_a_dominated_anchors_bonus_to_its_introducer():
    # Token 4: WAAD 1 is at most the median 4, and the jump of 4 at token 2 is at least the median 0: dominated.
    # It keeps 1 - 0.25 of the bonus 0.5 (1.375), token 2 gets 0.25 of it (1.125).
    # Token 10: WAAD 4 is at most the median too, and the jumps before it, 0, reach the median 0: dominated as well,
    # introduced by the earliest of three equal jumps, token 7.
    weights = coupled(make_inputs(12, **RHYTHM), replace(make_params(q=1 / 6), alpha=0.25))
    expected = [1.0] * 12
    expected[2], expected[4], expected[7], expected[10] = 1.125, 1.375, 1.125, 1.375
    assert weights.tolist() == [expected]


def test_coupled__an_anchor_that_is_not_dominated_keeps_its_bonus():
    # As above, but token 10 is not calm: its WAAD of 9 is above the median.
    waad = RHYTHM["waad"].clone()
    waad[0, 10] = 9.0
    weights = coupled(make_inputs(12, **{**RHYTHM, "waad": waad}), make_params(q=1 / 6))
    assert weights[0, 10].item() == 1.5


@pytest.mark.parametrize("rule", [global_anchor, local_chunk, coupled, bottom])
def test_rules__without_readings_are_an_error(rule):
    with pytest.raises(ValueError, match=f"{rule.__name__} needs probe readings"):
        rule(make_inputs(), make_params())


@pytest.mark.parametrize("num_real", [1, 4, 5, 9])
def test_random__amplifies_as_many_tokens_as_global_anchor(num_real):
    mask = torch.arange(9)[None] < num_real
    inputs = make_inputs(
        9, mask=mask, fai=torch.rand(1, 9, generator=torch.Generator().manual_seed(1)), waad=torch.zeros(1, 9)
    )
    by_chance, by_rule = (rule(inputs, make_params()) * mask for rule in (random, global_anchor))
    assert (by_chance > 1.0).sum() == (by_rule > 1.0).sum() > 0


def test_random__depends_on_its_generator_alone():
    inputs = make_inputs(40)
    first, again, other = (random(inputs, make_params(seed=seed)) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_shuffled__moves_the_base_rule_s_weights_among_the_real_tokens():
    mask = torch.arange(12)[None] < tensor([[12], [9]])
    readings = {name: reading.repeat(2, 1) for name, reading in RHYTHM.items()}
    inputs = CreditInputs(mask=mask, entropy=torch.zeros(2, 12), **readings)
    params = replace(make_params(q=1 / 6), base=coupled)
    dealt, base = shuffled(inputs, params), coupled(inputs, params)
    for row, other, real in zip(dealt, base, mask, strict=True):
        assert sorted(row[real].tolist()) == sorted(other[real].tolist())
    assert not torch.equal(dealt[0], base[0])


@pytest.mark.parametrize("rule", [shuffled, all_heads])
def test_shuffled_and_all_heads__need_a_base(rule):
    with pytest.raises(ValueError, match=rf"{rule.__name__} needs a rule .*set credit\.base"):
        rule(make_inputs(12, **RHYTHM), make_params())


@pytest.mark.parametrize("scores", [[0.0] * 10, [0.3] * 10, [0.0, 0.0, 0.5, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]])
def test_global_anchor__amplifies_exactly_the_top_share_despite_ties(scores):
    # a quantile as threshold would amplify all ten tokens of the first two rows; q 0.4 of 10 tokens are 4
    inputs = make_inputs(10, fai=tensor([scores]), waad=torch.zeros(1, 10))
    assert (global_anchor(inputs, make_params()) > 1.0).sum() == 4


def test_coupled__quantiles_decide_which_anchors_are_dominated():
    # Token 10 has WAAD 4. At the median of all (4) it is calm and so dominated; at the lowest decile (1) it is not.
    params = replace(make_params(q=1 / 6), waad_quantile=0.1)
    weights = coupled(make_inputs(12, **RHYTHM), params)
    assert weights[0, 10].item() == 1.5 and weights[0, 4].item() == 1.25
    # Token 10 follows no jump above 0, so a threshold at the highest of all jumps (4) frees it as well.
    freed = coupled(make_inputs(12, **RHYTHM), replace(make_params(q=1 / 6), delta_quantile=1.0))
    assert freed[0, 10].item() == 1.5 and freed[0, 4].item() == 1.25
