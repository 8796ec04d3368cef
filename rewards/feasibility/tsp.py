"""TSP: the shortest round trip from city 0 through all other cities."""

from dataclasses import dataclass
from random import Random
from typing import ClassVar

from rewards.feasibility.instance import Account, Place, RuleName, Solution, placed, used_once
from rewards.feasibility.network import Network, random_points


@dataclass(frozen=True, kw_only=True, slots=True)
class Tsp(Network):
    """A travelling salesman's problem; a solution is one list, the cities after city 0 in their order.

    Example:
        Tsp(points=((0, 0), (0, 3), (4, 3)))    # solution [[1, 2]] of length 12
    """

    problem = "tsp"
    rules = ("known", "once", "all")
    goal = "length"
    choices = ("city",)
    templates: ClassVar = {"go": "go {city}: {way+}", "back": "back: {way+}", "total": "length {length}"}

    @classmethod
    def draw(cls, rng: Random, size: int) -> "Tsp":
        return cls(points=random_points(rng, size, size=size))

    def violations(self, solution: Solution) -> dict[RuleName, list[Place]]:
        return used_once(placed(solution), range(1, self.num_places))

    def account(self, solution: Solution) -> Account:
        here, way = 0, 0
        for city in solution[0]:
            way = (yield "go", {"city": city, "way": (way, self.distance(here, city))})["way"]
            here = city
        way = (yield "back", {"way": (way, self.distance(here, 0))})["way"]
        yield "total", {"length": way}
