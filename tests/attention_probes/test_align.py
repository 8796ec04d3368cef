"""Alignment: dynamic programming equals brute force, and small cases by hand."""

from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from attention_probes.align import align_in_order, segment_attention, soft_assignment
from tests import reference

unit = st.floats(0.0, 1.0, width=32)


@st.composite
def matrices(draw: st.DrawFn) -> list[list[float]]:
    num_columns = draw(st.integers(1, 4))
    return draw(st.lists(st.lists(unit, min_size=num_columns, max_size=num_columns), min_size=1, max_size=4))


@given(matrices(), st.floats(0.0, 0.5), st.floats(0.0, 1.0))
def test_align_in_order__equals_brute_force(matrix, null_cost, length_penalty):
    alignment = align_in_order(torch.tensor(matrix), null_cost=null_cost, length_penalty=length_penalty)
    best = reference.best_alignment_score(matrix, null_cost, length_penalty)
    assert alignment.score == pytest.approx(best, abs=1e-5)


@given(matrices())
def test_align_in_order__groups_are_ordered_and_disjoint(matrix):
    groups = align_in_order(torch.tensor(matrix)).groups
    for (rows, columns), (later_rows, later_columns) in pairwise(groups):
        assert rows[1] <= later_rows[0] and columns[1] <= later_columns[0]


def test_align_in_order__leaves_out_a_segment_that_serves_nothing():
    # Groups score 0.9 - 0.5/3 (the smaller share: 1 of 3 segments); the middle segment costs 0.05 to leave out.
    matrix = torch.tensor([[0.9, 0.0, 0.0], [0.0, 0.0, 0.9]])
    alignment = align_in_order(matrix)
    assert alignment.groups == (((0, 1), (0, 1)), ((1, 2), (2, 3)))
    assert alignment.score == pytest.approx(2 * (0.9 - 0.5 / 3) - 0.05)


def test_soft_assignment__shares_a_constraint_among_the_segments_that_prefer_it():
    # Column means 0.2, 0.5 and 0.1; what is above them: [0.2, 0, 0.1] and [0, 0, 0].
    matrix = torch.tensor([[0.4, 0.5, 0.2], [0.0, 0.5, 0.0]])
    assert soft_assignment(matrix).flatten().tolist() == pytest.approx([2 / 3, 0.0, 1 / 3, 0.0, 0.0, 0.0])


def test_segment_attention__is_the_mean_over_a_segments_tokens():
    mass = torch.tensor([[1.0, 0.0], [3.0, 2.0], [5.0, 6.0]])
    assert segment_attention(mass, ((0, 2), (2, 3))).tolist() == [[2.0, 5.0], [1.0, 6.0]]
