"""Heads: spans, roles, retrieval and sink scores of hand-made attention."""

import pytest
import torch

from attention_probes.heads import (
    HeadRoles,
    HeadScoreFitter,
    copy_scores,
    distance_beyond_first,
    head_spans,
    jaccard,
    mean_received,
    sink_columns,
    sink_strengths,
)


def test_head_spans__are_means_over_response_tokens():
    # One layer, two heads, two rows of three tokens; four response tokens at distances 1, 3 | 2, 2 and 0, 0 | 8, 0.
    distance = torch.tensor([[[[9.0, 1.0, 3.0], [9.0, 0.0, 0.0]], [[9.0, 2.0, 2.0], [9.0, 8.0, 0.0]]]])
    response = torch.tensor([[False, True, True]] * 2)
    assert head_spans(distance, response).tolist() == [[2.0, 2.0]]


def test_distance_beyond_first__leaves_the_first_token_out():
    # Padding, then three tokens. The last, at position 2, pays 0.5 to the first (distance 2), 0.25 to the next (1) and
    # the rest to itself: 1.25 in all, and (0.25 * 1 + 0.25 * 0) / 0.5 = 0.5 beyond the first.
    distance, first_mass = torch.tensor([[[[0.0, 0.0, 0.6, 1.25]]]]), torch.tensor([[[[0.0, 1.0, 0.6, 0.5]]]])
    real = torch.tensor([[False, True, True, True]])
    beyond = distance_beyond_first(distance, first_mass, real)
    assert beyond[0, 0, 0].tolist() == pytest.approx([0.0, 0.0, 0.0, 0.5], abs=1e-6)


def test_fitter__weighs_batches_by_their_items():
    # (1 * 10 + 3 * 30) / 4 = 25 and (1 * 20 + 3 * 0) / 4 = 5
    fitter = HeadScoreFitter(layers=(7,))
    fitter.update(torch.tensor([[10.0, 20.0]]), weight=1)
    fitter.update(torch.tensor([[30.0, 0.0]]), weight=3)
    assert fitter.scores().tolist() == [[25.0, 5.0]]


def test_fitter_roles__short_spans_are_local_and_long_ones_global():
    fitter = HeadScoreFitter(layers=(2, 5))
    fitter.update(torch.tensor([[4.0, 1.0, 9.0], [2.0, 8.0, 3.0]]), weight=1)
    # In order: (2,1) 1, (5,0) 2, (5,2) 3, (2,0) 4, (5,1) 8, (2,2) 9; a third of six is two.
    roles = fitter.roles(share=1 / 3)
    assert roles == HeadRoles(local_heads=((2, 1), (5, 0)), global_heads=((2, 2), (5, 1)))
    assert roles.in_layer(2) == ((1,), (2,))
    assert fitter.above(7.5) == ((2, 2), (5, 1))


def test_fitter__refuses_to_rank_without_scores():
    with pytest.raises(ValueError, match="no head has a score yet"):
        HeadScoreFitter(layers=(0,)).roles()


@pytest.mark.parametrize("share", [0.0, 0.6])
def test_fitter_roles__refuse_a_share_that_two_roles_cannot_have(share):
    with pytest.raises(ValueError, match="share of heads"):
        HeadScoreFitter(layers=(0,)).roles(share)


def test_head_roles__survive_saving(tmp_path):
    roles = HeadRoles(local_heads=((2, 1),), global_heads=((2, 2), (5, 1)))
    roles.save(tmp_path / "roles.json")
    assert HeadRoles.load(tmp_path / "roles.json") == roles


def test_head_roles__refuse_another_file(tmp_path):
    (tmp_path / "roles.json").write_text('{"heads": []}')
    with pytest.raises(ValueError, match="must hold local_heads and global_heads"):
        HeadRoles.load(tmp_path / "roles.json")


def test_head_roles__refuse_an_empty_role():
    with pytest.raises(ValueError, match="global role needs at least one head"):
        HeadRoles(local_heads=((0, 0),), global_heads=())


def test_copy_scores__count_each_needle_token_once_and_only_if_generated():
    # ids: 5 6 | 9 | 5 6 6 with the needle 5 6 at 0, 1 and the answer at 3, 4, 5; the query before generates each.
    # Head 0 attends to 0, 1, 1 when 5, 6, 6 come: both needle tokens copied, 2/2 (the second 6 counts no further).
    # Head 1 attends to 1 when 5 comes (another token), at 4 when 6 comes (no needle), at 1 when 6 comes: 1/2.
    ids = torch.tensor([[5, 6, 9, 5, 6, 6]])
    needle = torch.tensor([[True, True, False, False, False, False]])
    answer = torch.tensor([[False, False, False, True, True, True]])
    top_key = torch.tensor([[[[0, 0, 0, 1, 1, 0], [0, 0, 1, 4, 1, 0]]]])
    assert copy_scores(top_key, ids, needle, answer).tolist() == [[1.0, 0.5]]


def test_mean_received__is_over_the_queries_that_can_attend():
    # Four real tokens: the columns are visible to 4, 3, 2 and 1 of them; the last two to fewer than three.
    received = torch.tensor([[[[2.0, 0.6, 0.8, 0.6, 0.0]]]])
    real = torch.tensor([[True, True, True, True, False]])
    assert mean_received(received, real, min_queries=3)[0, 0, 0].tolist() == pytest.approx([0.5, 0.2, 0.0, 0.0, 0.0])


def test_sink_columns__are_above_the_threshold_of_their_mean():
    # Twelve tokens: the first gets 6/12, the second 1.2/11 > 0.1, the third 0.9/10 < 0.1; the last sees only itself.
    received = torch.zeros(1, 1, 1, 12)
    received[0, 0, 0, [0, 1, 2, 11]] = torch.tensor([6.0, 1.2, 0.9, 1.0])
    columns = sink_columns(received, torch.ones(1, 12, dtype=torch.bool))
    assert columns.nonzero()[:, 3].tolist() == [0, 1]


def test_sink_strengths__are_those_of_the_strongest_columns():
    received = torch.zeros(1, 1, 2, 12)
    received[0, 0, 0, 0] = 6.0  # mean 6/12
    received[0, 0, 1, :] = 1.0  # at most 1/10 where ten tokens can attend
    strengths = sink_strengths(received, torch.ones(1, 12, dtype=torch.bool))
    assert strengths[0].tolist() == pytest.approx([0.5, 0.1])


def test_jaccard__is_1_for_the_same_heads():
    assert jaccard(((0, 1), (0, 2)), ((0, 2), (0, 1))) == 1.0
    assert jaccard(((0, 1), (0, 2)), ((0, 2), (0, 3))) == pytest.approx(1 / 3)
    assert jaccard((), ()) == 1.0
