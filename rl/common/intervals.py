"""Intervals of 95 % around a mean: by bootstrap, and by Student's t for a few values."""

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


def student_interval(values: Sequence[float]) -> Interval:
    """Return Student's t interval, for a few values such as one per seed. Raises ValueError for fewer than two."""
    if len(values) < 2:
        raise ValueError(f"an interval needs at least 2 values, got {len(values)}")
    quantile = STUDENT_975[min(len(values) - 1, len(STUDENT_975)) - 1]
    half, mean = quantile * stdev(values) / len(values) ** 0.5, fmean(values)
    return Interval(mean=mean, low=mean - half, high=mean + half)
