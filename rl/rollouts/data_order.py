"""Data order: the rows of every generation batch in every epoch, known before TRL asks for them."""

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any

from torch.utils.data import Sampler

from rl.rollouts.curriculum import Curriculum, rearranged

REFILL = 2**40
"""Groups that take the place of others have positions from here on, so often above the group they replace."""


class EpochOrder(Sampler[int]):
    """TRL's order of rows, for any epoch.

    TRL's sampler draws the next permutation each time it is iterated, so a run resumed in its second epoch would
    repeat the first epoch's order.
    """

    def __init__(
        self, make: Callable[[], Sampler[int]], keys: Callable[[int], Sequence[float] | None] = lambda _: None
    ):
        """`keys` gives what an epoch's rows are sorted by, or None for TRL's own order."""
        self.make = make
        self.keys = keys
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch to iterate; transformers and accelerate call this before each one."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[int]:
        sampler = self.make()
        for _ in range(self.epoch):
            next(iter(sampler))  # draws that epoch's permutation
        keys = self.keys(self.epoch)
        return iter(sampler) if keys is None else iter(rearranged(list(sampler), keys))

    def __len__(self) -> int:
        return len(self.make())  # pyright: ignore[reportArgumentType]  (TRL's has a length)


class DataOrder:
    """One rank's groups in each generation batch."""

    def __init__(
        self,
        make: Callable[[], Sampler[int]],
        dataset: Any,
        *,
        groups: int,
        num_generations: int,
        repeats: int,
        rank: int = 0,
        ranks: int = 1,
        curriculum: Curriculum | None = None,
    ):
        """Take `groups` rows of `dataset` for each rank in turn; every batch comes `repeats` times."""
        self.dataset = dataset
        self.groups = groups
        self.num_generations = num_generations
        self.rank = rank
        self.ranks = ranks
        self._repeats = repeats
        self._curriculum = curriculum
        self._keys: dict[int, list[float]] = {}
        self._order = EpochOrder(make, self.keys)
        self._epoch = lru_cache(maxsize=2)(self._indices)

    def position(self, batch: int) -> int:
        """Return the data-order position of this rank's first group in a batch."""
        return (batch * self.ranks + self.rank) * self.groups

    def keys(self, epoch: int) -> list[float] | None:
        """Return what the curriculum sorts an epoch's rows by, or None for TRL's own order.

        With several ranks, all of them must ask for the same epochs in the same order: the first time, they exchange
        their rewards.
        """
        if self._curriculum is None or not epoch:
            return None
        if epoch not in self._keys:
            before = (epoch * self._batches - self._curriculum.ahead) * self.ranks * self.groups
            self._keys[epoch] = self._curriculum.keys(self.dataset["problem_id"], before)
        return self._keys[epoch]

    def look_ahead(self, batch: int) -> None:
        """Have the ranks agree, while they are at the same batch, on the order of every epoch that it may ask for."""
        if self._curriculum is not None:
            for epoch in range(batch // self._batches, (batch + self._curriculum.ahead) // self._batches + 1):
                self.keys(epoch)

    @property
    def _batches(self) -> int:
        """Generation batches in an epoch."""
        return len(self._epoch(0)) // (self.groups * self.num_generations * self.ranks * self._repeats)

    def rows(self, batch: int) -> list[dict[str, Any]]:
        """Return the batch's rows, one a group."""
        size = self.groups * self.num_generations
        epoch, within = divmod(batch, self._batches)
        first = within * size * self.ranks * self._repeats + self.rank * size
        indices = self._epoch(epoch)[first : first + size : self.num_generations]
        return [self.dataset[index] for index in indices]

    def row(self, position: int) -> dict[str, Any]:
        """Return the row of one of this rank's groups; one that replaces another has a row of a later batch."""
        attempt, position = divmod(position, REFILL)
        batch, group = position // self.groups // self.ranks, position % self.groups
        return self.rows(batch + attempt)[group]

    def positions(self, batches: int) -> list[int]:
        """Return the positions of all of this rank's groups in the first `batches` batches."""
        return [self.position(batch) + group for batch in range(batches) for group in range(self.groups)]

    def _indices(self, epoch: int) -> list[int]:
        self._order.set_epoch(epoch)
        return list(self._order)
