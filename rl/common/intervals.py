"""Intervals of 95 % around a mean, by bootstrap and by Student's t for a few values; and how likely chance is."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

import numpy as np

STUDENT_975 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145)
"""97.5 % quantiles of Student's t for 1, 2, ... degrees of freedom; for more, the last is used, which is wider."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Interval:
    """A mean with its 95 % interval."""

    mean: float
    low: float
    high: float


def bootstrap_interval(values: Sequence[float], *, seed: int = 0, resamples: int = 10_000) -> Interval:
    """Return the percentile bootstrap interval. Raises ValueError without any value."""
    if not values:
        raise ValueError("an interval needs at least one value")
    sample = np.asarray(values, dtype=np.float64)
    draws = np.random.default_rng(seed).choice(sample, size=(resamples, len(sample))).mean(axis=1)
    low, high = np.quantile(draws, [0.025, 0.975])
    return Interval(mean=float(sample.mean()), low=float(low), high=float(high))


def bootstrap_ratio(
    parts: Sequence[float], wholes: Sequence[float], *, seed: int = 0, resamples: int = 10_000
) -> Interval:
    """Return the sum of the parts over that of the wholes, with a bootstrap interval over the pairs.

    Raises ValueError when the wholes sum to 0.
    """
    pairs = np.asarray([parts, wholes], dtype=np.float64)
    if pairs[1].sum() == 0:
        raise ValueError("a ratio needs a whole above 0")
    draws = np.random.default_rng(seed).integers(pairs.shape[1], size=(resamples, pairs.shape[1]))
    part, whole = pairs[:, draws].sum(axis=2)
    low, high = np.quantile((part / np.where(whole > 0, whole, np.nan))[whole > 0], [0.025, 0.975])
    return Interval(mean=float(pairs[0].sum() / pairs[1].sum()), low=float(low), high=float(high))


def student_interval(values: Sequence[float]) -> Interval:
    """Return Student's t interval, for a few values such as one per seed. Raises ValueError for fewer than two."""
    if len(values) < 2:
        raise ValueError(f"an interval needs at least 2 values, got {len(values)}")
    half, mean = student_quantile(len(values) - 1) * stdev(values) / len(values) ** 0.5, fmean(values)
    return Interval(mean=mean, low=mean - half, high=mean + half)


def student_quantile(freedom: int) -> float:
    """Return the 97.5 % quantile of Student's t, or a larger one from 15 degrees of freedom on."""
    return STUDENT_975[min(freedom, len(STUDENT_975)) - 1]


def slope_interval(x: Sequence[float], y: Sequence[float]) -> Interval:
    """Return the slope of the least-squares line, with Student's t interval. Raises ValueError for under 3 points."""
    if len(x) < 3:
        raise ValueError(f"an interval of a slope needs at least 3 points, got {len(x)}")
    middle_x, middle_y = fmean(x), fmean(y)
    spread = sum((one - middle_x) ** 2 for one in x)
    slope = sum((one - middle_x) * (other - middle_y) for one, other in zip(x, y, strict=True)) / spread
    squares = sum((other - middle_y - slope * (one - middle_x)) ** 2 for one, other in zip(x, y, strict=True))
    half = student_quantile(len(x) - 2) * math.sqrt(squares / (len(x) - 2) / spread)
    return Interval(mean=slope, low=slope - half, high=slope + half)


def student_p_value(values: Sequence[float]) -> float:
    """Return how likely a mean as far from 0 is if the true mean is 0: two-sided, by Student's t.

    Abramowitz and Stegun, 26.7.3 and 26.7.4. Raises ValueError for fewer than two values.
    """
    if len(values) < 2:
        raise ValueError(f"a p value needs at least 2 values, got {len(values)}")
    freedom, deviation = len(values) - 1, stdev(values)
    if deviation == 0.0:
        return float(fmean(values) == 0.0)
    angle = math.atan(fmean(values) / (deviation / math.sqrt(len(values))) / math.sqrt(freedom))
    odd = freedom % 2
    term, total = (math.cos(angle) if odd else 1.0), 0.0
    for number in range(2 + odd, freedom + 1, 2):
        total += term
        term *= math.cos(angle) ** 2 * (number - 1) / number
    within = 2.0 / math.pi * (angle + math.sin(angle) * total) if odd else math.sin(angle) * total
    return 1.0 - abs(within)


def holm(p_values: Sequence[float]) -> list[float]:
    """Return the p values corrected for their number (Holm 1979): step down, never decreasing, at most 1."""
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    corrected, largest = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        corrected[index] = largest
    return corrected
