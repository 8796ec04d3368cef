"""Curriculum: from the second epoch on, problems come in the order of what their completions earned so far."""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

Rewards = Callable[[int], Iterable[tuple[str, float]]]
"""A position -> the problem and the mean reward of each group below it, on all ranks."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Curriculum:
    """How an epoch's problems are ordered by the rewards of the groups before it.

    Problems without a reward come first, and equals stay in the order in which the sampler has shuffled them.
    """

    rewards: Rewards
    ahead: int
    """Batches before the epoch whose rewards do not count, since its first rows may be needed before they are known."""
    band: tuple[float, float] | None = None
    """Mean rewards that come first, and the nearest to them next; without it, the highest come first."""

    def keys(self, problem_ids: Iterable[str], before: int) -> list[float]:
        """Return what each problem is sorted by, from the groups at positions below `before`."""
        means = _means(self.rewards(before))
        return [self._key(means[problem]) if problem in means else -math.inf for problem in problem_ids]

    def _key(self, mean: float) -> float:
        if self.band is None:
            return -mean
        low, high = self.band
        return max(low - mean, mean - high, 0.0)


def _means(rewards: Iterable[tuple[str, float]]) -> Mapping[str, float]:
    """Return each problem's mean over its groups, which no order of them changes."""
    given: dict[str, list[float]] = defaultdict(list)
    for problem, mean in rewards:
        given[problem].append(mean)
    return {problem: math.fsum(means) / len(means) for problem, means in given.items()}


def rearranged(indices: Sequence[int], keys: Sequence[float]) -> list[int]:
    """Return a sampler's indices with the rows sorted by their keys, each repeated as the one in its place was.

    Rows that the sampler left out, because they fill no batch, come last among equals.
    """
    shuffled = list(dict.fromkeys(indices))
    left_out = sorted(set(range(len(keys))) - set(shuffled))
    ordered = sorted([*shuffled, *left_out], key=keys.__getitem__)
    moved = dict(zip(shuffled, ordered, strict=False))
    return [moved[index] for index in indices]
