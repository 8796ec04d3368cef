"""Networks: places that are driven between, given by points of the plane or by a table of distances."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import hypot
from random import Random

from rewards.feasibility.instance import Instance, check_numbers

Point = tuple[int, int] | tuple[float, float]
Table = tuple[tuple[int, ...], ...]

SMALL = 6
"""Up to this size numbers have one digit, for models of a million parameters."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Network(Instance):
    """Places 0, 1, 2, ..., of which 0 is where every tour begins and ends."""

    points: tuple[Point, ...] = ()
    """Distances are Euclidean, rounded to the nearest whole number, as TSPLIB's EUC_2D."""
    distances: Table = ()
    """Distances from each place to each; given instead of `points`."""

    def __post_init__(self) -> None:
        if bool(self.points) == bool(self.distances):
            raise ValueError("give either points or distances")
        if any(len(point) != 2 or not all(type(part) in (int, float) for part in point) for point in self.points):
            raise ValueError("points should each be two numbers")
        if any(len(row) != len(self.distances) for row in self.distances):
            raise ValueError(f"distances should be a square table; it has {len(self.distances)} rows")
        check_numbers("distances", (number for row in self.distances for number in row))

    @property
    def num_places(self) -> int:
        return len(self.points) or len(self.distances)

    def distance(self, start: int, end: int) -> int:
        """Return the distance between two places; 0 if there is no such place."""
        if not (0 <= start < self.num_places and 0 <= end < self.num_places):
            return 0
        if self.distances:
            return self.distances[start][end]
        (x, y), (u, v) = self.points[start], self.points[end]
        return int(hypot(x - u, y - v) + 0.5)

    def length(self, stops: Sequence[int]) -> int:
        """Return the length of the tour from place 0 through the stops and back."""
        tour = (0, *stops, 0)
        return sum(self.distance(start, end) for start, end in pairwise(tour))


def random_points(rng: Random, number: int, *, size: int) -> tuple[tuple[int, int], ...]:
    """Return different points of a grid that suits the size of the instance."""
    side = 10 if size <= SMALL else 100
    return tuple(divmod(place, side) for place in rng.sample(range(side * side), number))
