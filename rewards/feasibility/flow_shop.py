"""Flow shop: the order of jobs, the same on every machine, by which the last one ends earliest."""

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
    placed,
    used_once,
)
from rewards.feasibility.network import SMALL


@dataclass(frozen=True, kw_only=True, slots=True)
class FlowShop(Instance):
    """A permutation flow shop; a solution is one list, the jobs in their order.

    Example:
        FlowShop(times=((3, 2), (1, 4)))    # solution [[1, 0]] of makespan 7: job 1 ends at 5, job 0 at 4 and 7
    """

    times: tuple[tuple[int, ...], ...]
    """Of each job on machine 0, 1, 2, ..."""

    problem = "flow_shop"
    rules = ("known", "once", "all")
    goal = "makespan"
    choices = ("job",)
    templates: ClassVar = {"run": "machine {machine}: {end+}", "job": "job {job}", "total": "makespan {makespan}"}

    def __post_init__(self) -> None:
        check_numbers("times", (time for job in self.times for time in job))
        if not self.times or not self.times[0] or any(len(job) != len(self.times[0]) for job in self.times):
            raise ValueError("times should be a list for each job, all of as many machines")

    @property
    def num_machines(self) -> int:
        return len(self.times[0])

    @classmethod
    def draw(cls, rng: Random, size: int) -> "FlowShop":
        machines, largest = (2, 9) if size <= SMALL else (5, 99)
        return cls(times=tuple(tuple(rng.randint(1, largest) for _ in range(machines)) for _ in range(size)))

    def violations(self, solution: Solution) -> dict[RuleName, list[Place]]:
        return used_once(placed(solution), range(len(self.times)))

    def account(self, solution: Solution) -> Account:
        ends = [0] * self.num_machines
        for job in solution[0]:
            yield "job", {"job": job}
            times, ready = self.times[job] if job < len(self.times) else (), 0
            for machine in range(self.num_machines):
                start = max(ends[machine], ready)
                stated = yield "run", {"machine": machine, "end": (start, at_or_zero(times, machine))}
                ready = ends[machine] = stated["end"]
        yield "total", {"makespan": ends[-1]}
