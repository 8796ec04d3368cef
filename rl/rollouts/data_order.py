"""Data order: the rows of every generation batch in every epoch, known before TRL asks for them."""

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

from torch.utils.data import Sampler

REFILL = 2**40
"""Groups that take the place of others have positions from here on, so often above the group they replace."""


class EpochOrder(Sampler[int]):
    """TRL's order of rows, for any epoch.

    TRL's sampler draws the next permutation each time it is iterated, so a run resumed in its second epoch would
    repeat the first epoch's order.
    """

    def __init__(self, make: Callable[[], Sampler[int]]):
        self.make = make
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch to iterate; transformers and accelerate call this before each one."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[int]:
        sampler = self.make()
        for _ in range(self.epoch):
            next(iter(sampler))  # draws that epoch's permutation
        return iter(sampler)

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
    ):
        """Take `groups` rows of `dataset` for each rank in turn; every batch comes `repeats` times."""
        self.dataset = dataset
        self.groups = groups
        self.num_generations = num_generations
        self.rank = rank
        self.ranks = ranks
        self._repeats = repeats
        self._order = EpochOrder(make)
        self._epoch = lru_cache(maxsize=2)(self._indices)

    def position(self, batch: int) -> int:
        """Return the data-order position of this rank's first group in a batch."""
        return (batch * self.ranks + self.rank) * self.groups

    def rows(self, batch: int) -> list[dict[str, Any]]:
        """Return the batch's rows, one a group."""
        size = self.groups * self.num_generations
        span = size * self.ranks * self._repeats
        batches = len(self._epoch(0)) // span
        epoch, within = divmod(batch, batches)
        first = within * span + self.rank * size
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
