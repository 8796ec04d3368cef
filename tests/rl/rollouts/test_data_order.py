"""The data order: any epoch's, also out of turn, is the same that TRL's sampler gives."""

import hypothesis.strategies as st
from hypothesis import given
from trl.trainer.utils import RepeatSampler

from rl.rollouts.data_order import DataOrder, EpochOrder


def make_sampler(problems: int = 7, *, groups: int = 2, repeats: int = 3) -> RepeatSampler:
    return RepeatSampler(range(problems), mini_repeat_count=4, batch_size=groups, repeat_count=repeats, seed=5)


def test_epoch_order__is_trl_s_in_every_epoch():
    plain, ours = make_sampler(), EpochOrder(make_sampler)
    assert len(ours) == len(plain)
    for epoch in range(3):
        ours.set_epoch(epoch)
        assert list(ours) == list(plain)


def test_epoch_order__does_not_depend_on_the_epoch_before():
    ours = EpochOrder(make_sampler)
    ours.set_epoch(2)
    third = list(ours)
    ours.set_epoch(0)
    assert list(ours) != third
    ours.set_epoch(2)
    assert list(ours) == third


@given(st.integers(1, 3), st.integers(1, 3), st.integers(1, 3))
def test_data_order__has_the_rows_that_trl_asks_each_rank_for(ranks, groups, repeats):
    """TRL deals its sampler's rows to the ranks, a rank's batch at a time, and samples each batch's first copy."""
    problems = groups * ranks * 3 + 1
    dataset = [{"prompt": f"problem {index}"} for index in range(problems)]

    def make() -> RepeatSampler:
        return make_sampler(problems, groups=groups * ranks, repeats=repeats)

    sampler, size = make(), groups * 4
    stream = [index for _ in range(2) for index in sampler]  # two epochs
    dealt = [stream[start : start + size] for start in range(0, len(stream), size)]
    for rank in range(ranks):
        mine = dealt[rank::ranks][::repeats]
        order = DataOrder(make, dataset, groups=groups, num_generations=4, repeats=repeats, rank=rank, ranks=ranks)
        assert [order.rows(batch) for batch in range(len(mine))] == [
            [dataset[index] for index in indices[::4]] for indices in mine
        ]


def test_positions__differ_between_ranks_and_batches():
    orders = [
        DataOrder(make_sampler, [], groups=2, num_generations=4, repeats=1, rank=rank, ranks=3) for rank in range(3)
    ]
    positions = [position for order in orders for position in order.positions(4)]
    assert sorted(positions) == list(range(24))
