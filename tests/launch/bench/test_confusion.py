"""`heed bench confusion`: the AUC by hand, and its interval over problems."""

import numpy as np
import pytest

from launch.bench.confusion import auc, auc_interval


def test_auc__counts_pairs():
    # Positives 0.9 and 0.4 against negatives 0.1, 0.4 and 0.5: 3 pairs of 0.9 won, 1 of 0.4 won and 1 tied, of 6.
    scores = np.array([0.9, 0.4, 0.1, 0.4, 0.5])
    assert auc(scores, np.array([True, True, False, False, False])) == pytest.approx(4.5 / 6)


def test_auc_interval__resamples_problems_and_not_constraints():
    draw = np.random.default_rng(1)
    positive = draw.random(200) < 0.4
    scores = positive + draw.normal(size=200)
    alone = auc_interval(scores, positive, [str(index) for index in range(200)])
    assert alone.low < alone.mean < alone.high
    # Every item ten times is no more evidence, if the copies belong to one problem.
    copies = auc_interval(
        np.repeat(scores, 10), np.repeat(positive, 10), [str(index) for index in range(200) for _ in range(10)]
    )
    assert copies.mean == pytest.approx(alone.mean)
    assert copies.high - copies.low == pytest.approx(alone.high - alone.low, rel=0.1)
