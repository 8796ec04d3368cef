"""CVRP: the shortest routes from a depot that serve every client, each within the capacity of a vehicle."""

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


@dataclass(frozen=True, kw_only=True, slots=True)
class Cvrp(Network):
    """A capacitated vehicle routing problem; a solution is a list of clients for each route, the depot is place 0.

    Example:
        Cvrp(points=((0, 0), (0, 3), (4, 3)), demands=(0, 5, 6), capacity=10)    # solution [[1], [2]] of length 16
    """

    demands: tuple[int, ...]
    """Of each place; the depot's is 0."""
    capacity: int

    problem = "cvrp"
    rules = ("known", "once", "all", "capacity")
    goal = "length"
    opens = "route"
    choices = ("client",)
    templates: ClassVar = {
        "visit": "visit {client}: load {load+}, way {way+}",
        "back": "back: way {way+}",
        "route": "route {route}",
        "total": "length {length}",
    }

    def __post_init__(self) -> None:
        Network.__post_init__(self)
        check_numbers("demands and capacity", (*self.demands, self.capacity))
        if len(self.demands) != self.num_places:
            raise ValueError(f"there are {self.num_places} places and {len(self.demands)} demands")

    @classmethod
    def draw(cls, rng: Random, size: int) -> "Cvrp":
        demands = (0, *(rng.randint(1, 9) for _ in range(size)))
        capacity = 15 if size <= SMALL else 40
        return cls(points=random_points(rng, size + 1, size=size), demands=demands, capacity=capacity)

    def violations(self, solution: Solution) -> dict[RuleName, list[Place]]:
        visits = used_once(placed(solution), range(1, self.num_places))
        return {**visits, "capacity": overloads(solution, self.demands, self.capacity)}

    def account(self, solution: Solution) -> Account:
        way = 0
        for number, route in enumerate(solution, 1):
            yield "route", {"route": number}
            here, load = 0, 0
            for client in route:
                demand, leg = at_or_zero(self.demands, client), self.distance(here, client)
                stated = yield "visit", {"client": client, "load": (load, demand), "way": (way, leg)}
                here, load, way = client, stated["load"], stated["way"]
            way = (yield "back", {"way": (way, self.distance(here, 0))})["way"]
        yield "total", {"length": way}
