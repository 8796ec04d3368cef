"""Credit rules against weights worked out by hand."""

from dataclasses import replace

import pytest
import torch
from rl.credit.rules import READING_RULES, RULES, Amplifier, View, amplify, global_anchor, random, uniform
from torch import tensor


def make_view(num_tokens: int = 5, **changes) -> View:
    mask = torch.ones(1, num_tokens, dtype=torch.bool)
    return replace(View(mask=mask, entropy=torch.zeros(1, num_tokens)), **changes)


def make_amplifier(*, q: float = 0.4, gamma_amp: float = 1.5, seed: int = 0) -> Amplifier:
    return Amplifier(q=q, gamma_amp=gamma_amp, generator=torch.Generator().manual_seed(seed))


def test_uniform_weighs_every_token_the_same():
    assert uniform(make_view(), make_amplifier()).tolist() == [[1.0] * 5]


def test_an_amplified_token_weighs_gamma_amp():
    assert amplify(tensor([[True, False, True]]), 1.5).tolist() == [[1.5, 1.0, 1.5]]


def test_global_anchor_amplifies_the_tokens_looked_back_to_most():
    # q 0.4 of 5 tokens are 2: those with FAI 0.5 and 0.3
    view = make_view(fai=tensor([[0.1, 0.5, 0.2, 0.3, 0.0]]))
    assert global_anchor(view, make_amplifier()).tolist() == [[1.0, 1.5, 1.0, 1.5, 1.0]]


def test_global_anchor_counts_real_tokens_only():
    # 3 real tokens, q 0.4 -> ceil(1.2) = 2 amplified; the padding's reading is the highest, and is passed over
    mask = tensor([[True, True, True, False, False]])
    view = make_view(mask=mask, fai=tensor([[0.1, 0.5, 0.2, 0.9, 0.9]]))
    assert (global_anchor(view, make_amplifier()) * mask).tolist() == [[1.0, 1.5, 1.5, 0.0, 0.0]]


def test_global_anchor_without_readings_is_an_error():
    with pytest.raises(ValueError, match="probe did not listen"):
        global_anchor(make_view(), make_amplifier())


@pytest.mark.parametrize("num_real", [1, 4, 5, 9])
def test_the_control_amplifies_as_many_tokens_as_the_rule(num_real):
    mask = torch.arange(9)[None] < num_real
    view = make_view(9, mask=mask, fai=torch.rand(1, 9, generator=torch.Generator().manual_seed(1)))
    by_chance, by_rule = (rule(view, make_amplifier()) * mask for rule in (random, global_anchor))
    assert (by_chance > 1.0).sum() == (by_rule > 1.0).sum() > 0


def test_the_control_is_decided_by_its_generator():
    view = make_view(40)
    first, again, other = (random(view, make_amplifier(seed=seed)) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_every_rule_of_the_config_exists():
    from typing import get_args

    from rl.config import Credit

    assert set(get_args(Credit.model_fields["rule"].annotation)) == set(RULES) >= READING_RULES
