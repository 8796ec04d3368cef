"""Job shop: the order of operations, each on a machine that its job prescribes, that ends earliest."""

from dataclasses import dataclass
from random import Random
from typing import ClassVar

from rewards.feasibility.instance import END, Account, Instance, Place, RuleName, Solution, check_numbers
from rewards.feasibility.network import SMALL


@dataclass(frozen=True, kw_only=True, slots=True)
class JobShop(Instance):
    """A job shop; a solution is a list [job, machine] for each operation, in an order in which they can be started.

    Each operation starts as soon as its job and its machine are free.

    Example:
        JobShop(machines=((0, 1), (1, 0)), times=((3, 2), (4, 1)))
        # solution [[0, 0], [1, 1], [1, 0], [0, 1]]: ends 3, 4, 5 and 6, of which 6 is the makespan
    """

    machines: tuple[tuple[int, ...], ...]
    """Of the operations of each job, in their order."""
    times: tuple[tuple[int, ...], ...]
    """Of the operations of each job, in their order."""

    problem = "job_shop"
    rules = ("known", "order", "all")
    goal = "makespan"
    opens = "run"
    choices = ("job", "machine")
    templates: ClassVar = {"run": "job {job} on machine {machine}: {end+}", "total": "makespan {makespan}"}

    def __post_init__(self) -> None:
        for name, rows in (("machines", self.machines), ("times", self.times)):
            check_numbers(name, (number for row in rows for number in row))
        if not self.times or list(map(len, self.machines)) != list(map(len, self.times)):
            raise ValueError("machines and times should have the same number of operations for each job")

    @property
    def num_machines(self) -> int:
        return 1 + max(machine for job in self.machines for machine in job)

    @classmethod
    def draw(cls, rng: Random, size: int) -> "JobShop":
        machines, largest = (2, 9) if size <= SMALL else (min(size, 10), 99)
        return cls(
            machines=tuple(tuple(rng.sample(range(machines), machines)) for _ in range(size)),
            times=tuple(tuple(rng.randint(1, largest) for _ in range(machines)) for _ in range(size)),
        )

    def has_shape(self, solution: Solution) -> bool:
        return all(len(operation) == 2 for operation in solution)

    def violations(self, solution: Solution) -> dict[RuleName, list[Place]]:
        unknown: list[Place] = []
        misplaced: list[Place] = []
        done, num_machines = [0] * len(self.times), self.num_machines
        for row, (job, machine) in enumerate(solution):
            if job >= len(self.times) or machine >= num_machines:
                unknown.append((row, 0 if job >= len(self.times) else 1))
                continue
            if (due := self._machine(job, done[job])) != machine:
                misplaced.append((row, 0 if due is None else 1))  # a job that is done, or the wrong machine
            done[job] += 1
        left = sum(max(0, len(times) - number) for times, number in zip(self.times, done, strict=True))
        return {"known": unknown, "order": misplaced, "all": [END] * left}

    def account(self, solution: Solution) -> Account:
        done = [0] * len(self.times)
        job_ends: dict[int, int] = {}
        machine_ends: dict[int, int] = {}
        for job, machine in solution:
            time = 0
            if self._machine(job, at := done[job] if job < len(done) else 0) is not None:
                time = self.times[job][at]
                done[job] += 1
            start = max(job_ends.get(job, 0), machine_ends.get(machine, 0))
            stated = yield "run", {"job": job, "machine": machine, "end": (start, time)}
            job_ends[job] = machine_ends[machine] = stated["end"]
        yield "total", {"makespan": max(job_ends.values(), default=0)}

    def _machine(self, job: int, operation: int) -> int | None:
        """Return the machine of a job's operation, None where there is none."""
        if job >= len(self.machines) or operation >= len(self.machines[job]):
            return None
        return self.machines[job][operation]
