"""Bootstrap intervals."""

import pytest

from rl.intervals import bootstrap_interval


def test_equal_values_leave_nothing_to_chance():
    interval = bootstrap_interval([0.5] * 4)
    assert (interval.mean, interval.low, interval.high) == (0.5, 0.5, 0.5)


def test_a_fair_coin_s_mean_is_within_two_standard_errors():
    # 100 zeros and 100 ones: standard error 0.5 / sqrt(200), and 1.96 of them are 0.0693
    interval = bootstrap_interval([0.0, 1.0] * 100)
    assert interval.mean == 0.5
    assert (interval.low, interval.high) == (pytest.approx(0.431, abs=0.01), pytest.approx(0.569, abs=0.01))


def test_nothing_has_no_interval():
    with pytest.raises(ValueError, match="at least one value"):
        bootstrap_interval([])
