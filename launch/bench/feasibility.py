"""`heed bench feasibility`: how many instances of each problem are drawn, and answers verified, in a second."""

import time
from collections.abc import Callable
from typing import Any

from data.combinatorial.rows import draw_instance, instance_problem
from data.verdicts import verdicts_for
from rewards.feasibility.bin_packing import BinPacking
from rewards.feasibility.flow_shop import FlowShop
from rewards.feasibility.instance import Instance, Solution
from rewards.feasibility.job_shop import JobShop
from rewards.feasibility.knapsack import Knapsack
from rewards.feasibility.network import Network
from rewards.feasibility.problems import PROBLEMS
from rewards.feasibility.pvrp import Pvrp
from rewards.feasibility.texts import write
from rl.common.errors import UserError


def bench_feasibility(*, size: int = 10, number: int = 500) -> list[dict[str, Any]]:
    """Return the rates of each problem, by CPU time, for stepwise texts with all their rules.

    Raises UserError for a number below 1.
    """
    if number < 1:
        raise UserError(f"the number of instances must be at least 1, got {number}")
    return [_rates(problem, size, number) for problem in PROBLEMS]


def _rates(problem: str, size: int, number: int) -> dict[str, Any]:
    drawn, instances = _timed(lambda index: draw_instance(problem, 0, index, size), number)
    rows = [
        instance_problem(str(index), instance, "stepwise", compact=True) for index, instance in enumerate(instances)
    ]
    texts = [write(instance, _every_choice(instance), "stepwise") for instance in instances]
    verified, _ = _timed(lambda index: verdicts_for(rows[index], texts[index]), number)
    return {
        "problem": problem,
        "size": size,
        "characters": round(sum(map(len, texts)) / number),
        "drawn_per_second": round(drawn),
        "verified_per_second": round(verified),
    }


def _timed(call: Callable[[int], Any], number: int) -> tuple[float, list[Any]]:
    start = time.process_time()
    results = [call(index) for index in range(number)]
    return number / max(time.process_time() - start, 1e-9), results


def _every_choice(instance: Instance) -> Solution:
    """Return a solution that uses everything, whether or not it fits: as long a text as a feasible one."""
    match instance:
        case JobShop():
            steps = range(len(instance.times[0]))
            return tuple((job, row[at]) for at in steps for job, row in enumerate(instance.machines))
        case Pvrp():
            return tuple((0, *clients) for clients in _threes(instance))
        case Network():
            return _threes(instance) if instance.opens else (tuple(range(1, instance.num_places)),)
        case FlowShop():
            return (tuple(range(len(instance.times))),)
        case Knapsack() | BinPacking():
            return (tuple(range(len(instance.weights))),)
    raise AssertionError(f"{instance.problem} has no solution here")


def _threes(instance: Network) -> Solution:
    places = range(1, instance.num_places)
    return tuple(tuple(places[start : start + 3]) for start in range(0, len(places), 3))
