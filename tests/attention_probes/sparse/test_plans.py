"""Sparse plans: which blocks each reads, by hand and by an independent restatement."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from attention_probes.sparse.blocks import Blocks
from attention_probes.sparse.compute import leading_dense_blocks
from attention_probes.sparse.flexprefill import FlexPrefill, jensen_shannon, top_mass
from attention_probes.sparse.hip import Hip
from attention_probes.sparse.plan import Texts, density
from attention_probes.sparse.power import Power
from attention_probes.sparse.window import Window


def texts(num_blocks: int, block: int = 4, *, seed: int = 0, lengths: tuple[int, ...] | None = None) -> Texts:
    """Random queries of four heads and keys of two."""
    draw, lengths = torch.Generator().manual_seed(seed), lengths or (num_blocks * block,) * 2
    shape = (len(lengths), num_blocks * block, 8)
    query, key = (torch.randn(shape[0], heads, *shape[1:], generator=draw) for heads in (4, 2))
    return Texts(query=query, key=key, lengths=torch.tensor(lengths), scale=8**-0.5)


def rows(keep: torch.Tensor) -> list[list[int]]:
    """The blocks that each query block reads, in the first text and head."""
    return [row.nonzero().flatten().tolist() for row in keep[0, 0]]


def test_window__reads_the_last_blocks_and_the_first():
    assert rows(Window(block=4, blocks=2).keep(texts(5))) == [[0], [0, 1], [0, 1, 2], [0, 2, 3], [0, 3, 4]]


def test_power__reads_blocks_a_power_of_two_back():
    # 9: itself, 1, 2, 4 and 8 back, and the first.
    assert rows(Power(block=4, blocks=1).keep(texts(10)))[9] == [0, 1, 5, 7, 8, 9]
    assert rows(Power(block=4, blocks=4).keep(texts(10)))[9] == [0, 1, 5, 6, 7, 8, 9]


def test_blocks__reads_those_that_the_mean_query_likes_best():
    batch = texts(6)
    keep = Blocks(block=4, top=2).keep(batch)
    for text, head, i in [(0, 0, 5), (1, 3, 4), (0, 2, 1)]:
        query = batch.query[text, head, 4 * i : 4 * i + 4].mean(dim=0)
        keys = batch.key[text, head // 2].unflatten(0, (-1, 4)).mean(dim=1)
        best = sorted(range(i + 1), key=lambda j, q=query, k=keys: -float(q @ k[j]))[:2]
        assert set(keep[text, head, i].nonzero().flatten().tolist()) == {*best, 0, i}


@given(st.integers(1, 20), st.integers(1, 6), st.integers(0, 10**6))
def test_hip__reads_at_most_its_number_of_blocks_and_the_two_that_all_read(num_blocks, top, seed):
    keep = Hip(block=2, top=top).keep(texts(num_blocks, 2, seed=seed))
    assert keep.sum(dim=-1).max() <= top + 2
    assert not (keep & (torch.ones(num_blocks, num_blocks).triu(1) > 0)).any()
    # As many ranges as earlier blocks leave nothing out.
    if top >= num_blocks:
        assert torch.equal(keep, torch.ones_like(keep).tril())


def test_hip__finds_the_block_that_its_first_query_likes():
    # Every key block likes the query by its number, so that the better half is always the later one.
    block, num_blocks = 4, 16
    key = (torch.arange(num_blocks * block) // block).float().view(1, 1, -1, 1)
    batch = Texts(query=torch.ones_like(key), key=key, lengths=torch.tensor([64]), scale=1.0)
    assert rows(Hip(block=block, top=1).keep(batch))[15] == [0, 14, 15]


def test_top_mass__takes_as_few_as_hold_the_share():
    mass = torch.tensor([[[0.125, 0.5, 0.0, 0.375]]])
    assert top_mass(mass, 0.5).flatten().tolist() == [False, True, False, False]
    assert top_mass(mass, 0.51).flatten().tolist() == [False, True, False, True]
    assert top_mass(mass, 1.0).flatten().tolist() == [True, True, False, True]


def test_jensen_shannon__is_0_for_equals_and_the_root_of_log_2_for_strangers():
    one, other = torch.tensor([[[1.0, 0.0]]]), torch.tensor([[[0.0, 1.0]]])
    assert jensen_shannon(one, one).item() == 0.0
    assert jensen_shannon(one, other).item() == pytest.approx(math.sqrt(math.log(2)))


def test_flexprefill__reads_the_columns_and_diagonals_that_the_last_queries_read():
    # Three of the last four queries attend to block 1 alone, the fourth to all others alike: block 1 gets 3/4 of the
    # mass, four blocks back. So every query reads block 1, and what is four blocks back; and its own and the first.
    key, query = torch.zeros(1, 1, 24, 2), torch.zeros(1, 1, 24, 2)
    key[..., 4:8, 0] = 1.0
    query[..., -4:, 0] = torch.tensor([60.0, 60.0, 60.0, -180.0])
    batch = Texts(query=query, key=key, lengths=torch.tensor([24]), scale=1.0)
    keep = FlexPrefill(block=4, gamma=0.7, tau=0.0).keep(batch)
    assert rows(keep) == [[0], [0, 1], [0, 1, 2], [0, 1, 3], [0, 1, 4], [0, 1, 5]]
    everything = FlexPrefill(block=4, gamma=1.0, tau=10.0).keep(texts(6))  # by content, all of it
    assert torch.equal(everything, torch.ones_like(everything).tril())


@pytest.mark.parametrize("plan", [Window(block=4, blocks=2), Blocks(block=4, top=2), Hip(block=4, top=2)])
def test_keep__of_a_text_does_not_depend_on_a_longer_one_beside_it(plan):
    short, both = texts(5, lengths=(18,)), texts(5, lengths=(18, 20))
    query, key = both.query.clone(), both.key.clone()
    query[:1], key[:1] = short.query, short.key
    beside = Texts(query=query, key=key, lengths=both.lengths, scale=both.scale)
    assert torch.equal(plan.keep(short)[0], plan.keep(beside)[0])


def test_leading_dense_blocks__are_those_that_read_everything():
    # A window of two blocks and the first: blocks 0, 1 and 2 read all, 3 leaves out 1.
    assert leading_dense_blocks(Window(block=4, blocks=2).keep(texts(6))) == 3
    assert leading_dense_blocks(Window(block=4, blocks=6).keep(texts(6))) == 6
    assert leading_dense_blocks(Window(block=4, blocks=1).keep(texts(6))) == 2


def test_density__counts_blocks_up_to_the_query_that_hold_real_tokens():
    # Three blocks have six pairs; the window of one block reads the diagonal and the first: 5. Of two blocks, all 3.
    keep = Window(block=4, blocks=1).keep(texts(3))
    assert density(keep, torch.tensor([12]), 4).item() == pytest.approx(5 / 6)
    assert density(keep, torch.tensor([12, 8]), 4).item() == pytest.approx((5 + 3) / (6 + 3))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Window(block=0), "at least 1 token"),
        (lambda: Power(blocks=0), "power needs blocks"),
        (lambda: Hip(top=0), "hip needs top"),
        (lambda: FlexPrefill(gamma=0.0), "gamma above 0"),
    ],
)
def test_plans__refuse_what_they_cannot_do(make, message):
    with pytest.raises(ValueError, match=message):
        make()
