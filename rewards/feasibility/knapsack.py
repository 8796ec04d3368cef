"""Knapsack: the most valuable items whose weights together stay within a capacity."""

from dataclasses import dataclass
from random import Random
from typing import ClassVar

from rewards.feasibility.instance import (
    Account,
    Instance,
    Place,
    RuleName,
    Solution,
    at_or_zero,
    check_numbers,
    overloads,
    placed,
    used_once,
)
from rewards.feasibility.network import SMALL


@dataclass(frozen=True, kw_only=True, slots=True)
class Knapsack(Instance):
    """A 0-1 knapsack; a solution is one list, the items that are taken.

    Example:
        Knapsack(weights=(2, 5, 4), values=(9, 7, 6), capacity=6)    # solution [[0, 2]] of value 15
    """

    weights: tuple[int, ...]
    values: tuple[int, ...]
    capacity: int

    problem = "knapsack"
    rules = ("known", "once", "capacity")
    goal, sign = "value", -1
    choices = ("item",)
    templates: ClassVar = {
        "take": "take {item}: weight {weight+}, value {value+}",
        "total": "weight {weight} of {capacity}, value {value}",
    }

    def __post_init__(self) -> None:
        check_numbers("weights, values and capacity", (*self.weights, *self.values, self.capacity))
        if len(self.weights) != len(self.values):
            raise ValueError(f"there are {len(self.weights)} weights and {len(self.values)} values")

    @classmethod
    def draw(cls, rng: Random, size: int) -> "Knapsack":
        largest = 9 if size <= SMALL else 99
        weights, values = (tuple(rng.randint(1, largest) for _ in range(size)) for _ in range(2))
        return cls(weights=weights, values=values, capacity=max(*weights, sum(weights) // 2))

    def violations(self, solution: Solution) -> dict[RuleName, list[Place]]:
        items = used_once(placed(solution), range(len(self.weights)))
        over = overloads(solution, self.weights, self.capacity)
        return {"known": items["known"], "once": items["once"], "capacity": over}

    def account(self, solution: Solution) -> Account:
        weight, value = 0, 0
        for item in solution[0]:
            more, worth = at_or_zero(self.weights, item), at_or_zero(self.values, item)
            stated = yield "take", {"item": item, "weight": (weight, more), "value": (value, worth)}
            weight, value = stated["weight"], stated["value"]
        yield "total", {"weight": weight, "capacity": self.capacity, "value": value}
