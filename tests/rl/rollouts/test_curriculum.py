"""Curriculum: a pure function of the rewards before the epoch, the same on every rank and in TRL's sampler."""

import math

import pytest
from trl.trainer.utils import RepeatSampler

from rl.rollouts.curriculum import Curriculum, rearranged
from rl.rollouts.data_order import DataOrder, EpochOrder

MEANS = [("a", 1.0), ("b", 0.0), ("c", 0.5), ("d", 0.9), ("b", 0.5)]


def curriculum(band: tuple[float, float] | None = None, ahead: int = 0, rewards=lambda before: MEANS) -> Curriculum:
    return Curriculum(rewards=rewards, ahead=ahead, band=band)


def test_keys__easy_first_goes_by_the_mean_over_all_groups_and_unknown_problems_lead():
    # b earned 0.0 and 0.5: a mean of 0.25; e was never sampled
    keys = curriculum().keys(["a", "b", "c", "d", "e"], before=9)
    assert keys == [-1.0, -0.25, -0.5, -0.9, -math.inf]


def test_keys__band_goes_by_the_distance_from_it():
    keys = curriculum(band=(0.3, 0.6)).keys(["a", "b", "c", "d", "e"], before=9)
    assert keys == pytest.approx([0.4, 0.05, 0.0, 0.3, -math.inf])


def test_rearranged__keeps_the_repeats_and_the_shuffle_of_equals():
    # batches of two rows, each row twice and each batch twice; row 2 fills no batch
    indices = [3, 3, 0, 0, 3, 3, 0, 0, 4, 4, 1, 1, 4, 4, 1, 1]
    # sorted: 1 (key 0), then 3 and 2 (key 1; 3 was shuffled, 2 was left out), then 0 and 4 (key 2)
    assert rearranged(indices, [2.0, 0.0, 1.0, 1.0, 2.0]) == [1, 1, 3, 3, 1, 1, 3, 3, 2, 2, 0, 0, 2, 2, 0, 0]


def test_rearranged__with_equal_keys_is_the_sampler_s_order():
    assert rearranged([3, 3, 0, 0, 1, 1], [0.5] * 4) == [3, 3, 0, 0, 1, 1]


@pytest.mark.parametrize("ranks", [1, 2])
@pytest.mark.parametrize("ahead", [0, 1])
def test_data_order__reads_the_rewards_before_the_first_row_of_an_epoch_may_be_asked_for(ranks, ahead):
    dataset, asked = [{"problem_id": name} for name in "abcdefgh"], []

    class Rows(list):
        def __getitem__(self, key):
            return [row["problem_id"] for row in dataset] if key == "problem_id" else dataset[key]

    def rewards(before: int):
        asked.append(before)
        return [(name, index / 8) for index, name in enumerate("abcdefgh")]

    def make() -> RepeatSampler:
        return RepeatSampler(range(8), mini_repeat_count=2, batch_size=2 * ranks, repeat_count=3, seed=5)

    orders = [
        DataOrder(
            make,
            Rows(dataset),
            groups=2,
            num_generations=2,
            repeats=3,
            rank=rank,
            ranks=ranks,
            curriculum=curriculum(ahead=ahead, rewards=rewards),
        )
        for rank in range(ranks)
    ]
    batches = 4 // ranks  # 8 problems in batches of 2 for each rank
    plain = DataOrder(make, dataset, groups=2, num_generations=2, repeats=3, ranks=ranks)
    assert orders[0].rows(0) == plain.rows(0) and asked == []
    orders[0].look_ahead(batches - 1)
    assert len(asked) == ahead  # only who may ask for a row of the next epoch decides about it now
    second = [
        [row["problem_id"] for row in order.rows(batches + batch)] for batch in range(batches) for order in orders
    ]
    assert second == [["h", "g"], ["f", "e"], ["d", "c"], ["b", "a"]]
    assert asked == [(batches - ahead) * 2 * ranks] * ranks  # once a rank, and the same for all
    sampler = EpochOrder(make, orders[0].keys)
    sampler.set_epoch(1)
    assert [dataset[index]["problem_id"] for index in list(sampler)[:4]] == ["h", "h", "g", "g"]
