"""Bin packing: all items in as few bins of one capacity as possible."""

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
class BinPacking(Instance):
    """A bin packing problem; a solution is a list of items for each bin.

    Example:
        BinPacking(weights=(6, 5, 4), capacity=10)    # solution [[0, 2], [1]] of 2 bins
    """

    weights: tuple[int, ...]
    capacity: int

    problem = "bin_packing"
    rules = ("known", "once", "all", "capacity")
    goal = "bins"
    opens = "bin"
    choices = ("item",)
    templates: ClassVar = {"bin": "bin {bin}", "put": "put {item}: {load+}", "total": "bins {bins}"}

    def __post_init__(self) -> None:
        check_numbers("weights and capacity", (*self.weights, self.capacity))

    @classmethod
    def draw(cls, rng: Random, size: int) -> "BinPacking":
        largest, capacity = (9, 15) if size <= SMALL else (99, 150)
        return cls(weights=tuple(rng.randint(1, largest) for _ in range(size)), capacity=capacity)

    def violations(self, solution: Solution) -> dict[RuleName, list[Place]]:
        items = used_once(placed(solution), range(len(self.weights)))
        return {**items, "capacity": overloads(solution, self.weights, self.capacity)}

    def account(self, solution: Solution) -> Account:
        for number, items in enumerate(solution, 1):
            yield "bin", {"bin": number}
            load = 0
            for item in items:
                load = (yield "put", {"item": item, "load": (load, at_or_zero(self.weights, item))})["load"]
        yield "total", {"bins": len(solution)}
