"""Seeded sampling: the inverse of a distribution worked out by hand, and who shares random numbers with whom."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, tensor

from rl.rollouts.seeded_sampling import SeededSampler, row_uniforms
from rl.rollouts.types import RolloutRequest

REQUEST = RolloutRequest(position=40, prompts=((5, 6), (7, 8)), num_generations=3, version=10, seed=2)


def draw(logits: Tensor, uniforms: list[float], *, temperature: float) -> tuple[list[int], list[float]]:
    """The token and its log-prob for each uniform number, every row over the same logits."""
    sampler = SeededSampler(np.array(uniforms)[:, None], temperature=temperature)
    scores = sampler(torch.zeros(len(uniforms), 1, dtype=torch.long), logits.repeat(len(uniforms), 1))
    assert ((scores > -torch.inf).sum(dim=1) == 1).all(), "one token a row is left"
    return scores.argmax(dim=1).tolist(), sampler.logprobs()[:, 0].tolist()


def test_draw__inverts_the_cumulative_distribution():
    # 0.2 | 0.5 | 0.3 cumulate to 0.2, 0.7, 1.0
    logits = tensor([[0.2, 0.5, 0.3]]).log()
    tokens, logprobs = draw(logits, [0.0, 0.19, 0.21, 0.69, 0.71, 0.999999999], temperature=1.0)
    assert tokens == [0, 0, 1, 1, 2, 2]
    assert logprobs == pytest.approx([math.log(p) for p in (0.2, 0.2, 0.5, 0.5, 0.3, 0.3)])


def test_draw__follows_the_temperature():
    # 1 : 16 : 9 at temperature 2 is 1 : 4 : 3, which is 0.125 | 0.5 | 0.375, cumulated 0.125, 0.625, 1.0
    logits = tensor([[1.0, 16.0, 9.0]]).log()
    tokens, logprobs = draw(logits, [0.12, 0.13, 0.62, 0.63], temperature=2.0)
    assert tokens == [0, 1, 1, 2]
    assert logprobs == pytest.approx([math.log(p) for p in (0.125, 0.5, 0.5, 0.375)])


def test_draw__never_takes_an_impossible_token():
    # the first, the middle and the last of the five are impossible, the others even
    logits = tensor([[-torch.inf, 0.0, -torch.inf, 0.0, -torch.inf]])
    tokens, _ = draw(logits, [0.0, 0.4999, 0.5, 1.0 - 2**-53], temperature=1.0)
    assert tokens == [1, 1, 3, 3]


def test_draw__reaches_the_tail_of_a_large_vocabulary():
    # uniform over 50,000 tokens: u belongs to token floor(50,000 u), the last one included
    size = 50_000
    tokens, _ = draw(torch.zeros(1, size), [0.25 + 1e-9, 0.5 + 1e-9, 1.0 - 0.5 / size], temperature=1.0)
    assert tokens == [size // 4, size // 2, size - 1]


def test_draw__at_temperature_zero_takes_the_likeliest_token():
    tokens, logprobs = draw(tensor([[0.2, 0.5, 0.3]]).log(), [0.0, 0.99], temperature=0.0)
    assert tokens == [1, 1]
    assert logprobs == pytest.approx([math.log(0.5)] * 2)


def test_sampler__uses_the_next_number_of_a_row_at_each_step():
    sampler = SeededSampler(np.array([[0.1, 0.9], [0.9, 0.1]]), temperature=1.0)
    logits = tensor([[0.5, 0.5]] * 2).log()
    ids = torch.zeros(2, 1, dtype=torch.long)
    assert sampler(ids, logits).argmax(dim=1).tolist() == [0, 1]
    assert sampler(ids, logits).argmax(dim=1).tolist() == [1, 0]


def test_row_uniforms__have_one_row_for_each_sample():
    assert row_uniforms(REQUEST, 7).shape == (6, 7)


def test_row_uniforms__are_shared_by_no_two_rows():
    rows = np.concatenate(
        [
            row_uniforms(REQUEST, 4),
            row_uniforms(replace(REQUEST, seed=3), 4),
            row_uniforms(replace(REQUEST, version=11), 4),
            row_uniforms(replace(REQUEST, position=42), 4),
        ]
    )
    assert len(np.unique(rows)) == rows.size


def test_row_uniforms__follow_the_data_order_not_the_request():
    second_group_alone = replace(REQUEST, position=41, prompts=REQUEST.prompts[1:])
    assert np.array_equal(row_uniforms(REQUEST, 4)[3:], row_uniforms(second_group_alone, 4))


def test_row_uniforms__are_extended_by_more_tokens():
    assert np.array_equal(row_uniforms(REQUEST, 9)[:, :4], row_uniforms(REQUEST, 4))
