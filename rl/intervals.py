"""Intervals: how far a mean could be from chance alone."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, kw_only=True, slots=True)
class Interval:
    """A mean with its 95 % bootstrap interval."""

    mean: float
    low: float
    high: float


def bootstrap_interval(values: Sequence[float], *, seed: int = 0, resamples: int = 10_000) -> Interval:
    """Percentile bootstrap over the values. Raises ValueError when there are none."""
    if not values:
        raise ValueError("an interval needs at least one value")
    sample = np.asarray(values, dtype=np.float64)
    draws = np.random.default_rng(seed).choice(sample, size=(resamples, len(sample))).mean(axis=1)
    low, high = np.quantile(draws, [0.025, 0.975])
    return Interval(mean=float(sample.mean()), low=float(low), high=float(high))
