"""Bootstrap and Student's intervals, and p values."""

from statistics import stdev

import pytest

from rl.common.intervals import (
    STUDENT_975,
    bootstrap_interval,
    holm,
    slope_interval,
    student_interval,
    student_p_value,
)


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


@pytest.mark.parametrize("freedom", range(1, len(STUDENT_975) + 1))
def test_student_p_value__is_a_twentieth_where_the_interval_touches_zero(freedom):
    # values of deviation s around t s / sqrt(n), t the 97.5 % quantile: the interval's low end is 0, so p = 0.05
    count = freedom + 1
    around = [(-1.0) ** index for index in range(count - count % 2)] + [0.0] * (count % 2)
    shift = STUDENT_975[freedom - 1] * stdev(around) / count**0.5
    values = [value + shift for value in around]
    assert student_interval(values).low == pytest.approx(0.0, abs=1e-12)
    assert student_p_value(values) == pytest.approx(0.05, abs=5e-5)
    assert student_p_value([-value for value in values]) == pytest.approx(0.05, abs=5e-5)


def test_student_p_value__of_values_without_spread_or_mean():
    assert student_p_value([0.1, 0.1]) == 0.0
    assert student_p_value([0.0, 0.0]) == 1.0
    assert student_p_value([-1.0, 1.0]) == pytest.approx(1.0)
    # one degree of freedom is Cauchy's distribution, half of which lies within t = 1 = 1 / (sqrt(2) / sqrt(2))
    assert student_p_value([0.0, 2.0]) == pytest.approx(0.5)
    with pytest.raises(ValueError, match="at least 2 values, got 1"):
        student_p_value([0.1])


def test_holm__multiplies_by_the_number_that_is_left_and_never_falls():
    # sorted 0.005, 0.01, 0.03, 0.04 x 4, 3, 2, 1 = 0.02, 0.03, 0.06, 0.04, and the last may not be below the third
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm([]) == []


def test_slope_interval__of_three_points():
    # 0, 1, 2 -> 0, 2, 1: slope (1 x 0 + 1 x 1) / 2 = 0.5 through (1, 1); residuals -0.5, 1, -0.5, so that the slope's
    # deviation is sqrt(1.5 / 1 / 2) = 0.8660, times 12.706
    interval = slope_interval([0.0, 1.0, 2.0], [0.0, 2.0, 1.0])
    assert interval.mean == pytest.approx(0.5)
    assert (interval.low, interval.high) == (
        pytest.approx(0.5 - 11.0037, abs=1e-3),
        pytest.approx(0.5 + 11.0037, abs=1e-3),
    )
    exact = slope_interval([0.0, 1.0, 3.0], [1.0, 3.0, 7.0])
    assert (exact.mean, exact.low, exact.high) == pytest.approx((2.0, 2.0, 2.0))
    with pytest.raises(ValueError, match="at least 3 points, got 2"):
        slope_interval([0.0, 1.0], [0.0, 1.0])
