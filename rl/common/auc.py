"""Area under the ROC curve: how well a score tells positive items from negative ones; 0.5 tells nothing."""

from collections.abc import Hashable, Sequence

import numpy as np

from rl.common.intervals import Interval

RESAMPLES = 2_000


def auc(scores: np.ndarray, positive: np.ndarray, strata: np.ndarray) -> float:
    """Return how often a positive item's score is above that of a negative one of its stratum; a tie counts half.

    NaN where no stratum has items of both sorts (Mann-Whitney, over the pairs of all strata).
    """
    above = pairs = 0.0
    for stratum in np.unique(strata):
        inside = strata == stratum
        higher, ordered = scores[inside & positive], np.sort(scores[inside & ~positive])
        above += sum(np.searchsorted(ordered, higher, side=side).sum() for side in ("left", "right")) / 2
        pairs += len(higher) * len(ordered)
    return float(above / pairs) if pairs else float("nan")


def auc_interval(
    scores: Sequence[float],
    positive: Sequence[bool],
    groups: Sequence[Hashable],
    *,
    strata: Sequence[str] | None = None,
    seed: int = 0,
) -> Interval | None:
    """Return the area with its bootstrap interval over groups; None unless there are items of both sorts.

    With `strata` only items of one stratum are compared. Draws without a pair to compare are left out.
    """
    values, is_positive = np.asarray(scores, dtype=np.float64), np.asarray(positive, dtype=bool)
    stratum_of = np.unique(list(strata or [""] * len(values)), return_inverse=True)[1]
    area = auc(values, is_positive, stratum_of)
    if np.isnan(area):
        return None
    rows: dict[Hashable, list[int]] = {}
    for row, group in enumerate(groups):
        rows.setdefault(group, []).append(row)
    members, draw, areas = [np.array(own) for own in rows.values()], np.random.default_rng(seed), []
    for _ in range(RESAMPLES):
        drawn = np.concatenate([members[index] for index in draw.integers(len(members), size=len(members))])
        areas.append(auc(values[drawn], is_positive[drawn], stratum_of[drawn]))
    low, high = np.nanquantile(areas, [0.025, 0.975])
    return Interval(mean=area, low=float(low), high=float(high))
