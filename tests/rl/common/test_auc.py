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
