"""PVRP: routing by vehicles of different profiles, which prefer some clients, or may not visit some.

After CAMP (AAMAS 2025), whose variants are called profiled routing with preferences (PVRP-P) and with zone constraints
(PVRP-ZC). Vehicles may reload at the depot.
"""

from abc import abstractmethod
from dataclasses import dataclass
from random import Random
from typing import ClassVar

from rewards.feasibility.instance import (
    Account,
    Place,
    RuleName,
    Solution,
    at_or_zero,
    check_numbers,
    overloads,
    placed,
    used_once,
)
from rewards.feasibility.network import SMALL, Network, random_points

VEHICLES = 2, 3
"""Number of vehicles of small and of larger random instances."""
CAPACITIES = 15, 40
MAX_CLOSED = 2 / 3
"""Largest share of the vehicles that a client may be closed to."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Pvrp(Network):
    """A profiled routing problem; a solution is a list for each trip: a vehicle, and then its clients."""

    demands: tuple[int, ...]
    """Of each place; the depot, place 0, has 0."""
    capacity: int
    """Of each trip."""

    goal = "cost"
    opens = "vehicle"
    choices = ("vehicle", "client")

    def __post_init__(self) -> None:
        Network.__post_init__(self)
        check_numbers("demands and capacity", (*self.demands, self.capacity))
        if len(self.demands) != self.num_places:
            raise ValueError(f"there are {self.num_places} places and {len(self.demands)} demands")

    @property
    @abstractmethod
    def num_vehicles(self) -> int: ...

    @abstractmethod
    def step(self, vehicle: int, start: int, end: int) -> tuple[int, ...]:
        """Return the terms by which a drive to a client changes the cost."""

    def is_closed(self, vehicle: int, client: int) -> bool:
        """Return whether the vehicle may not visit the client."""
        return False

    def has_shape(self, solution: Solution) -> bool:
        return all(solution)

    def scale(self, solution: Solution) -> int:
        """Return the length of the trips, as the cost may be 0."""
        return max(1, sum(self.length(clients) for _, *clients in solution))

    def violations(self, solution: Solution) -> dict[RuleName, list[Place]]:
        visits = used_once(placed(solution, first=1), range(1, self.num_places))
        strangers = [(row, 0) for row, trip in enumerate(solution) if trip[0] >= self.num_vehicles]
        shut = [place for place, client in placed(solution, first=1) if self.is_closed(solution[place[0]][0], client)]
        over = overloads(solution, self.demands, self.capacity, first=1)
        return {**visits, "known": [*strangers, *visits["known"]], "capacity": over, "zones": shut}

    def account(self, solution: Solution) -> Account:
        cost = 0
        for vehicle, *clients in solution:
            yield "vehicle", {"vehicle": vehicle}
            here, load = 0, 0
            for client in clients:
                demand, step = at_or_zero(self.demands, client), self.step(vehicle, here, client)
                stated = yield "visit", {"client": client, "load": (load, demand), "cost": (cost, *step)}
                here, load, cost = client, stated["load"], stated["cost"]
            cost = (yield "back", {"cost": (cost, self.distance(here, 0))})["cost"]
        yield "total", {"cost": cost}


@dataclass(frozen=True, kw_only=True, slots=True)
class PvrpPreferences(Pvrp):
    """Each visit has a worth, by the vehicle; the cost is the length of all trips less the worths, and may be negative.

    Example:
        PvrpPreferences(points=((0, 0), (0, 3)), demands=(0, 5), capacity=10, worths=((0, 2), (0, 9)))
        # solution [[1, 1]] of cost 6 - 9 = -3
    """

    worths: tuple[tuple[int, ...], ...]
    """Of each vehicle at each place, in units of length."""

    problem = "pvrp_preferences"
    rules = ("known", "once", "all", "capacity")
    templates: ClassVar = {
        "visit": "visit {client}: load {load+}, cost {cost+-}",
        "vehicle": "vehicle {vehicle}",
        "back": "back: cost {cost+}",
        "total": "cost {cost}",
    }

    def __post_init__(self) -> None:
        Pvrp.__post_init__(self)
        check_numbers("worths", (worth for row in self.worths for worth in row))
        if {len(row) for row in self.worths} != {self.num_places}:
            raise ValueError("worths should have a list for each vehicle, each with a number for every place")

    @classmethod
    def draw(cls, rng: Random, size: int) -> "PvrpPreferences":
        points, demands = _clients(rng, size)
        is_large, largest = size > SMALL, 5 if size <= SMALL else 50
        worths = tuple((0, *(rng.randint(0, largest) for _ in range(size))) for _ in range(VEHICLES[is_large]))
        return cls(points=points, demands=demands, capacity=CAPACITIES[is_large], worths=worths)

    @property
    def num_vehicles(self) -> int:
        return len(self.worths)

    def step(self, vehicle: int, start: int, end: int) -> tuple[int, int]:
        worth = at_or_zero(self.worths[vehicle], end) if vehicle < len(self.worths) else 0
        return self.distance(start, end), worth


@dataclass(frozen=True, kw_only=True, slots=True)
class PvrpZones(Pvrp):
    """Some clients are closed to some vehicles; the cost is the length of all trips.

    Example:
        PvrpZones(points=((0, 0), (0, 3)), demands=(0, 5), capacity=10, closed=((1,), ()))
        # solution [[1, 1]] of cost 6
    """

    closed: tuple[tuple[int, ...], ...]
    """Clients that each vehicle may not visit."""

    problem = "pvrp_zones"
    rules = ("known", "once", "all", "capacity", "zones")
    templates: ClassVar = {
        "visit": "visit {client}: load {load+}, way {cost+}",
        "vehicle": "vehicle {vehicle}",
        "back": "back: way {cost+}",
        "total": "length {cost}",
    }

    def __post_init__(self) -> None:
        Pvrp.__post_init__(self)
        check_numbers("closed", (client for row in self.closed for client in row), minimum=1)
        if not self.closed:
            raise ValueError("closed should have a list for each vehicle")

    @classmethod
    def draw(cls, rng: Random, size: int) -> "PvrpZones":
        points, demands = _clients(rng, size)
        vehicles = VEHICLES[size > SMALL]
        shut = [rng.sample(range(vehicles), int(vehicles * rng.uniform(0, MAX_CLOSED))) for _ in range(size)]
        closed = tuple(
            tuple(client for client, without in enumerate(shut, 1) if vehicle in without) for vehicle in range(vehicles)
        )
        return cls(points=points, demands=demands, capacity=CAPACITIES[size > SMALL], closed=closed)

    @property
    def num_vehicles(self) -> int:
        return len(self.closed)

    def step(self, vehicle: int, start: int, end: int) -> tuple[int]:
        return (self.distance(start, end),)

    def is_closed(self, vehicle: int, client: int) -> bool:
        return vehicle < len(self.closed) and client in self.closed[vehicle]


def _clients(rng: Random, size: int) -> tuple[tuple[tuple[int, int], ...], tuple[int, ...]]:
    """Return the points of depot and clients, and their demands."""
    return random_points(rng, size + 1, size=size), (0, *(rng.randint(1, 9) for _ in range(size)))
