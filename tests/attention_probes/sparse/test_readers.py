"""Readers: which blocks are gathered for which queries, and what those may see."""

import torch

from attention_probes.sparse.readers import Readers

READERS = Readers(
    blocks=torch.tensor([[0, 2, 0], [0, 1, 3], [1, 3, 0]]),
    counts=torch.tensor([2, 3, 2]),
    start=torch.tensor([0, 0, 8]),
    shape=(1, 1, 2),
)


def test_readers__of_equal_length_come_together_and_gather_nothing_else():
    groups = [(some.tolist(), rows.tolist()) for some, rows in READERS.of_equal_length(most=100)]
    assert groups == [([0, 2], [[0, 2], [9, 11]]), ([1], [[0, 1, 3]])]
    assert [some.tolist() for some, _ in READERS.of_equal_length(most=2)] == [[0], [2], [1]]


def test_visible_tokens__are_all_but_the_later_ones_of_the_own_block():
    [[seen]] = READERS.visible_tokens(torch.tensor([0, 2]), 2, block=2, window=None)
    own = [[True, True, True, False], [True, True, True, True]]
    assert seen.tolist() == own + own  # the rows of two heads


def test_visible_tokens__of_a_window_depend_on_how_far_back_a_block_lies():
    # Tokens 0, 1, 4, 5 for queries 4 and 5, and tokens 2, 3, 6, 7 for queries 6 and 7: four back is too far for each.
    seen = READERS.visible_tokens(torch.tensor([0, 2]), 2, block=2, window=4)[:, 0]
    assert seen.tolist() == [[[False, True, True, False], [False, False, True, True]] * 2] * 2


def test_readers__queries_come_back_to_their_heads():
    query = torch.arange(2 * 6 * 4 * 3).float().view(2, 6, 4, 3)
    readers = Readers(blocks=READERS.blocks, counts=READERS.counts, start=READERS.start, shape=(2, 3, 2))
    split = readers.split_queries(query, 2)
    assert torch.equal(split[1], torch.cat([query[0, 0, 2:], query[0, 1, 2:]]))  # the second block of heads 0 and 1
    assert torch.equal(readers.join_heads(split, 2), query)
