"""Segments: planted chunks are recovered, and a text is always covered exactly."""

from itertools import pairwise

import torch
from hypothesis import given
from hypothesis import strategies as st

from attention_probes.layer import LayerAttention
from attention_probes.segments import boundary_scores, cut_segments
from attention_probes.statistics import boundary_masses


def test_cut_segments__recovers_planted_chunks():
    # Keys of the three chunks 0-39, 40-69 and 70-99 have logits 0, 2 and -1 for every query.
    edges, length = [0, 40, 70, 100], 100
    key = torch.repeat_interleave(torch.tensor([0.0, 2.0, -1.0]), torch.tensor([40, 30, 30]))
    layer = LayerAttention(query=torch.ones(1, 1, length, 1), key=key[None, None, :, None], mask=None, scale=1.0)
    before, after = boundary_masses(layer, torch.ones(1, 1), window=4)
    text = torch.ones(1, length, dtype=torch.bool)
    scores = boundary_scores(before[:, 0], after[:, 0], text, window=4)
    assert cut_segments(scores[0], text[0], theta=1.5) == tuple(pairwise(edges))


def test_cut_segments__takes_the_best_cuts_first_and_keeps_the_radius():
    # Cuts behind tokens 1 (score 2), 3 (score 5) and 7 (score 3): the one behind 1 is too near to the better behind 3.
    scores = torch.tensor([1.0, 2.0, 1.0, 5.0, 1.0, 1.0, 1.0, 3.0, 1.0, 1.0])
    text = torch.ones(10, dtype=torch.bool)
    assert cut_segments(scores, text, radius=2) == ((0, 4), (4, 8), (8, 10))
    assert cut_segments(scores, text, radius=2, max_segments=2) == ((0, 4), (4, 10))


def test_boundary_scores__are_1_where_a_side_is_missing():
    # Window 2 in the text 2..8: two tokens on either side and a later token exist for cuts behind 3, 4 and 5.
    text = torch.tensor([[False, False, True, True, True, True, True, True, True, False]])
    scores = boundary_scores(torch.full((1, 10), 3.0), torch.full((1, 10), 1.0), text, window=2)
    assert (scores[0] > 2.0).nonzero().flatten().tolist() == [3, 4, 5]


@given(st.lists(st.floats(0.5, 3.0), max_size=30), st.integers(0, 5), st.integers(0, 10))
def test_cut_segments__cover_the_text_exactly(values, start, radius):
    scores = torch.tensor([1.0] * start + values + [9.0, 9.0])
    text = torch.tensor([False] * start + [True] * len(values) + [False, False])
    segments = cut_segments(scores, text, radius=radius)
    covered = [position for first, stop in segments for position in range(first, stop)]
    assert covered == list(range(start, start + len(values)))
