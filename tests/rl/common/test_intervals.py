"""Bootstrap and Student's intervals."""

import pytest

from rl.common.intervals import bootstrap_interval, student_interval


def test_bootstrap_interval__of_equal_values_has_no_width():
    interval = bootstrap_interval([0.5] * 4)
    assert (interval.mean, interval.low, interval.high) == (0.5, 0.5, 0.5)


def test_bootstrap_interval__of_a_fair_coin_is_two_standard_errors_wide():
    # 100 zeros and 100 ones: standard error 0.5 / sqrt(200), and 1.96 of them are 0.0693
    interval = bootstrap_interval([0.0, 1.0] * 100)
    assert interval.mean == 0.5
    assert (interval.low, interval.high) == (pytest.approx(0.431, abs=0.01), pytest.approx(0.569, abs=0.01))


def test_bootstrap_interval__needs_a_value():
    with pytest.raises(ValueError, match="at least one value"):
        bootstrap_interval([])


def test_student_interval__of_three_values():
    # 0.1, 0.2, 0.3: mean 0.2, deviation 0.1, so 0.2 -+ 4.303 x 0.1 / sqrt(3)
    interval = student_interval([0.1, 0.2, 0.3])
    assert (interval.mean, interval.low, interval.high) == pytest.approx((0.2, 0.2 - 0.24843, 0.2 + 0.24843), abs=1e-4)


def test_student_interval__needs_two_values():
    with pytest.raises(ValueError, match="at least 2 values, got 1"):
        student_interval([0.1])
