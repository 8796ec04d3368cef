"""Area under the ROC curve: how well a score tells positive items from negative ones; 0.5 tells nothing."""

from collections.abc import Hashable, Sequence

import numpy as np

from rl.common.intervals import Interval

RESAMPLES = 2_000


def auc(scores: np.ndarray, positive: np.ndarray) -> float:
    """Return how often a positive item's score is above a negative one's; a tie counts half (Mann-Whitney)."""
    ordered = np.sort(scores[~positive])
    below = np.searchsorted(ordered, scores[positive], side="left")
    up_to = np.searchsorted(ordered, scores[positive], side="right")
    return float((below + up_to).sum() / (2 * positive.sum() * (~positive).sum()))


def auc_interval(
    scores: Sequence[float], positive: Sequence[bool], groups: Sequence[Hashable], *, seed: int = 0
) -> Interval | None:
    """Return the area with its bootstrap interval over groups; None unless there are items of both sorts.

    Draws without a positive or a negative item are left out.
    """
    values, is_positive = np.asarray(scores, dtype=np.float64), np.asarray(positive, dtype=bool)
    if not is_positive.any() or is_positive.all():
        return None
    rows: dict[Hashable, list[int]] = {}
    for row, group in enumerate(groups):
        rows.setdefault(group, []).append(row)
    members, draw, areas = [np.array(own) for own in rows.values()], np.random.default_rng(seed), []
    for _ in range(RESAMPLES):
        drawn = np.concatenate([members[index] for index in draw.integers(len(members), size=len(members))])
        if 0 < is_positive[drawn].sum() < len(drawn):
            areas.append(auc(values[drawn], is_positive[drawn]))
    low, high = np.quantile(areas, [0.025, 0.975])
    return Interval(mean=auc(values, is_positive), low=float(low), high=float(high))
