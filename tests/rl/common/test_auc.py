"""The area under the ROC curve, by hand, and its interval over groups."""

import numpy as np
import pytest

from rl.common.auc import auc_interval


@pytest.mark.parametrize(
    ("cases", "area"),
    [
        ([(3.0, True), (1.0, False), (2.0, False)], 1.0),
        ([(1.0, True), (1.0, False)], 0.5),
        # of 2 x 3 pairs: 3 above 1, 2, not above 4; 2 above 1, equal to 2, not above 4
        ([(3.0, True), (2.0, True), (1.0, False), (2.0, False), (4.0, False)], (2 + 1.5) / 6),
        # 0.9 above 0.1, 0.4 and 0.5; 0.4 above 0.1 and equal to 0.4
        ([(0.9, True), (0.4, True), (0.1, False), (0.4, False), (0.5, False)], 4.5 / 6),
    ],
)
def test_auc_interval__counts_pairs_and_halves_ties(cases, area):
    scores, positive = zip(*cases, strict=True)
    interval = auc_interval(scores, positive, range(len(cases)))
    assert interval is not None
    assert interval.mean == pytest.approx(area)


@pytest.mark.parametrize("cases", [[], [(1.0, True)], [(1.0, False), (2.0, False)]])
def test_auc_interval__is_none_without_items_of_both_sorts(cases):
    assert auc_interval([score for score, _ in cases], [positive for _, positive in cases], range(len(cases))) is None


def test_auc_interval__compares_within_a_stratum_only():
    # Within a: 1 above 0. Within b: 9 not above 10. Without strata, 9 is above 0 as well, and 1 not above 10.
    scores, positive, strata = (1.0, 0.0, 9.0, 10.0), (True, False, True, False), "aabb"
    within = auc_interval(scores, positive, range(4), strata=strata)
    everything = auc_interval(scores, positive, range(4))
    assert within is not None and everything is not None
    assert (within.mean, everything.mean) == (0.5, 0.5)
    shifted = auc_interval((1.0, 0.0, 9.0, 8.0), positive, range(4), strata=strata)
    assert shifted is not None and shifted.mean == 1.0
    assert auc_interval(scores, (True, True, False, False), range(4), strata=strata) is None


def test_auc_interval__resamples_groups_and_not_items():
    draw = np.random.default_rng(1)
    positive = draw.random(200) < 0.4
    scores = positive + draw.normal(size=200)
    alone = auc_interval(scores.tolist(), positive.tolist(), range(200))
    assert alone is not None
    assert alone.low < alone.mean < alone.high
    # Every item ten times is no more evidence, if the copies belong to one group.
    copies = auc_interval(
        np.repeat(scores, 10).tolist(), np.repeat(positive, 10).tolist(), np.repeat(np.arange(200), 10).tolist()
    )
    assert copies is not None
    assert copies.mean == pytest.approx(alone.mean)
    assert copies.high - copies.low == pytest.approx(alone.high - alone.low, rel=0.1)
