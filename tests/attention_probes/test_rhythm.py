"""Rhythm: closed forms of WAAD and FAI, exact shares, and the marked tokens of a small example."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from attention_probes.layer import LayerAttention
from attention_probes.rhythm import RhythmSettings, fai, find_rhythm, horizon_fill, top_share, waad, waad_deltas
from attention_probes.statistics import rhythm_sums

WINDOW, HORIZON = 3, (2, 4)


def layer_of(query: Tensor, key: Tensor) -> LayerAttention:
    """One row, one head, causal; logits are plain products."""
    return LayerAttention(query=query[None, None], key=key[None, None], mask=None, scale=1.0)


def read(layer: LayerAttention) -> tuple[list[float], list[float]]:
    nearness, future_mass = rhythm_sums(layer, torch.ones(1, 1), window=WINDOW, horizon=HORIZON)
    real = layer.real()
    return waad(nearness[:, 0], real, window=WINDOW)[0].tolist(), fai(future_mass[:, 0], real, horizon=HORIZON)[
        0
    ].tolist()


def test_readings__of_uniform_attention():
    # Equal logits: A[t, s] = 1 / (t+1).
    # WAAD_t, W = 3: t=0: 0; t=1: (0+1)/2; t=2: (0+1+2)/3; t=3: (0+1+2+3)/4; t=4: (0+1+2+3+3)/5; t=5: (..+3)/6.
    # FAI_s, 2 to 4 ahead: s=0: mean of 1/3, 1/4, 1/5; s=1: 1/4, 1/5, 1/6; s=2: 1/5, 1/6; s=3: 1/6; then nothing left.
    distances, influence = read(layer_of(torch.zeros(6, 2), torch.zeros(6, 2)))
    assert distances == pytest.approx([0, 1 / 2, 1, 6 / 4, 9 / 5, 2], abs=1e-6)
    third, fourth, fifth, sixth = 1 / 3, 1 / 4, 1 / 5, 1 / 6
    first, second = (third + fourth + fifth) / 3, (fourth + fifth + sixth) / 3
    assert influence == pytest.approx([first, second, (fifth + sixth) / 2, sixth, 0, 0], abs=1e-6)


def test_readings__of_a_previous_token_head():
    # Query t points along axis t-1 and key s along axis s, far enough that all mass is on s = t-1 (t = 0 sees itself).
    # So WAAD is 0, then 1 throughout; no query attends 2 to 4 tokens back, so FAI is 0.
    key = torch.eye(5)
    query = 100.0 * torch.cat([key[:1], key[:-1]])
    distances, influence = read(layer_of(query, key))
    assert distances == pytest.approx([0, 1, 1, 1, 1], abs=1e-5)
    assert influence == pytest.approx([0, 0, 0, 0, 0], abs=1e-6)


def test_horizon_fill__counts_real_tokens_only():
    # 1 to 2 ahead of each of five tokens, the last of them padding.
    real = torch.tensor([[True, True, True, True, False]])
    assert horizon_fill(real, (1, 2)).tolist() == [[2, 2, 1, 0, 0]]


scores = st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=1, max_size=20)


@given(scores, st.floats(0.01, 1.0), st.integers(0, 5))
def test_top_share__is_exact_and_leaves_no_better_token_out(values, q, padding):
    mask = torch.tensor([[True] * len(values) + [False] * padding])
    chosen = top_share(torch.tensor([values + [9.0] * padding]), mask, q)[0].tolist()
    assert sum(chosen) == math.ceil(q * len(values) - 1e-6)
    assert not any(chosen[len(values) :])
    left = [value for value, taken in zip(values, chosen, strict=False) if not taken]
    taken = [value for value, taken in zip(values, chosen, strict=False) if taken]
    assert not left or not taken or max(left) <= min(taken)


def test_top_share__ties_go_to_the_earlier_token():
    chosen = top_share(torch.zeros(1, 4), torch.ones(1, 4, dtype=torch.bool), 0.5)
    assert chosen.tolist() == [[True, True, False, False]]


def test_waad_deltas__stop_at_the_last_real_token():
    mask = torch.tensor([[True, True, True, False]])
    assert waad_deltas(torch.tensor([[1.0, 4.0, 2.0, 7.0]]), mask).tolist() == [[3.0, 2.0, 0.0, 0.0]]


def test_find_rhythm__marks_a_dominated_anchor_and_its_introducer():
    # Five tokens and one of padding. Delta = |1-5|, |5-1|, |1-2|, |2-2|, 0 = 4 4 1 0 0; q = 0.4 takes two of five.
    # Preplan: tokens 0 and 1. Anchors: FAI 0.9 at token 2, 0.8 at token 0.
    # Median WAAD of 1 5 1 2 2 is 2, median Delta is 1. Token 2: WAAD 1 <= 2, and before it Delta is 4, 4: dominated,
    # and of the equal ones the earlier, token 0, introduces it. Token 0 has nothing before it.
    rhythm = find_rhythm(
        torch.tensor([[1.0, 5.0, 1.0, 2.0, 2.0, 0.0]]),
        torch.tensor([[0.8, 0.1, 0.9, 0.0, 0.0, 0.0]]),
        torch.tensor([[True] * 5 + [False]]),
        RhythmSettings(q=0.4, reach=2),
    )
    assert rhythm.preplan.nonzero().tolist() == [[0, 0], [0, 1]]
    assert rhythm.anchors.nonzero().tolist() == [[0, 0], [0, 2]]
    assert rhythm.dominated.nonzero().tolist() == [[0, 2]]
    assert rhythm.introducer.tolist() == [[-1, -1, 0, -1, -1, -1]]
    assert rhythm.introducers().nonzero().tolist() == [[0, 0]]
    marks = {"preplan": (10, 11), "anchors": (10, 12), "dominated": (12,)}
    assert rhythm.positions(offset=10) == marks


def test_find_rhythm__an_anchor_without_a_delta_before_it_is_not_dominated():
    # Delta = 0 0 4 4 0: both lie behind the anchor at token 1, none before it.
    rhythm = find_rhythm(
        torch.tensor([[1.0, 1.0, 1.0, 5.0, 1.0]]),
        torch.tensor([[0.0, 0.9, 0.0, 0.0, 0.0]]),
        torch.ones(1, 5, dtype=torch.bool),
        RhythmSettings(q=0.2, reach=1, delta_quantile=0.9),
    )
    assert not rhythm.dominated.any() and not rhythm.introducers().any()
