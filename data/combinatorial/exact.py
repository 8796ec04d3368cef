"""Exact: optimal solutions of small instances by dynamic programming, without a solver."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from math import inf

from rewards.feasibility.bin_packing import BinPacking
from rewards.feasibility.cvrp import Cvrp
from rewards.feasibility.flow_shop import FlowShop
from rewards.feasibility.instance import Instance, Solution
from rewards.feasibility.job_shop import JobShop
from rewards.feasibility.knapsack import Knapsack
from rewards.feasibility.network import Network
from rewards.feasibility.pvrp import Pvrp, PvrpPreferences
from rewards.feasibility.tsp import Tsp

MAX_TOUR, MAX_PARTITION, MAX_JOBS, MAX_OPERATIONS, MAX_CAPACITY = 12, 10, 7, 10, 100_000
"""Largest instances that take less than seconds: cities; clients and items; jobs of a flow shop; operations."""


def exact_solution(instance: Instance) -> Solution | None:
    """Return an optimal solution, None for an instance that is too large."""
    match instance:
        case Tsp() if instance.num_places <= MAX_TOUR:
            *_, (_, order) = best_tours(instance, instance.num_places - 1)
            return (order,)
        case Cvrp() if instance.num_places <= MAX_PARTITION + 1:
            return partition(instance.num_places - 1, _routes(instance))
        case Pvrp() if instance.num_places <= MAX_PARTITION + 1:
            return partition(instance.num_places - 1, _trips(instance))
        case BinPacking() if len(instance.weights) <= MAX_PARTITION:
            return partition(len(instance.weights), _bins(instance))
        case Knapsack() if instance.capacity <= MAX_CAPACITY:
            return (_most_valuable(instance),)
        case FlowShop() if len(instance.times) <= MAX_JOBS:
            return (_earliest((0,) * instance.num_machines, 0, len(instance.times), _flow_moves(instance)),)
        case JobShop() if sum(map(len, instance.times)) <= MAX_OPERATIONS:
            free = (0,) * (len(instance.times) + instance.num_machines)
            done = (0,) * len(instance.times)
            return _earliest(free, done, sum(map(len, instance.times)), _shop_moves(instance))
        case _:
            return None


Group = tuple[int | float, tuple[int, ...]]
"""The cost of using some numbers together, infinite if they may not be, and the list that has this cost."""


def best_tours(network: Network, number: int) -> list[Group]:
    """Return the shortest tour from place 0 through each subset of places 1 to `number`, by its bits (Held-Karp)."""
    # ways[subset][last]: length and order of the shortest way from 0 through the subset that ends at `last`
    ways: list[dict[int, tuple[int, tuple[int, ...]]]] = [{} for _ in range(1 << number)]
    tours: list[Group] = [(0, ())]
    for subset in range(1, 1 << number):
        for last in _members(subset):
            before = ways[subset ^ (1 << (last - 1))] or {0: (0, ())}
            ways[subset][last] = min(
                (length + network.distance(place, last), (*order, last)) for place, (length, order) in before.items()
            )
        tours.append(min((length + network.distance(last, 0), way) for last, (length, way) in ways[subset].items()))
    return tours


def partition(number: int, groups: Sequence[Group]) -> Solution:
    """Return the lists of least cost that use each of so many numbers once; `groups` has one for each subset's bits."""
    best: list[tuple[int | float, int]] = [
        (0.0, 0)
    ]  # of each subset: the cost, and the group that holds its lowest bit
    for subset in range(1, 1 << number):
        lowest = subset & -subset
        best.append(min((groups[part][0] + best[subset ^ part][0], part) for part in _parts(subset) if part & lowest))
    lists, left = [], (1 << number) - 1
    while left:
        part = best[left][1]
        lists.append(groups[part][1])
        left ^= part
    return tuple(lists)


def _members(subset: int) -> list[int]:
    """Return the numbers, from 1, of a subset's bits."""
    return [bit + 1 for bit in range(subset.bit_length()) if subset >> bit & 1]


def _parts(subset: int) -> Iterator[int]:
    part = subset
    while part:
        yield part
        part = (part - 1) & subset


def _routes(instance: Cvrp) -> list[Group]:
    tours = best_tours(instance, instance.num_places - 1)
    return [
        (inf if sum(instance.demands[client] for client in order) > instance.capacity else length, order)
        for length, order in tours
    ]


def _trips(instance: Pvrp) -> list[Group]:
    """Return the best trip of each subset of clients, by the best vehicle for it."""
    trips: list[Group] = []
    for length, order in best_tours(instance, instance.num_places - 1):
        if sum(instance.demands[client] for client in order) > instance.capacity:
            trips.append((inf, order))
        else:
            cost, vehicle = min((_profile(instance, car, order), car) for car in range(instance.num_vehicles))
            trips.append((length + cost, (vehicle, *order)))
    return trips


def _profile(instance: Pvrp, vehicle: int, clients: Iterable[int]) -> int | float:
    """Return what a vehicle adds to the cost of visiting the clients."""
    if any(instance.is_closed(vehicle, client) for client in clients):
        return inf
    return -sum(instance.worths[vehicle][client] for client in clients) if isinstance(instance, PvrpPreferences) else 0


def _bins(instance: BinPacking) -> list[Group]:
    bins = [tuple(item - 1 for item in _members(subset)) for subset in range(1 << len(instance.weights))]
    return [
        (inf if sum(instance.weights[item] for item in items) > instance.capacity else 1.0, items) for items in bins
    ]


def _most_valuable(instance: Knapsack) -> tuple[int, ...]:
    best: list[tuple[int, tuple[int, ...]]] = [(0, ())] * (instance.capacity + 1)
    for item, (weight, value) in enumerate(zip(instance.weights, instance.values, strict=True)):
        for room in range(instance.capacity, weight - 1, -1):
            worth, items = best[room - weight]
            if worth + value > best[room][0]:
                best[room] = (worth + value, (*items, item))
    return best[-1][1]


Ends = tuple[int, ...]
Moves = Callable[[object, Ends], Iterator[tuple[object, object, Ends]]]
"""What is done and when jobs and machines are free -> each next choice, with both after it."""


def _earliest(free: Ends, state: object, steps: int, moves: Moves) -> tuple:
    """Return the choices after which the last end is earliest.

    Of the ways to one state only those are kept that no other reaches with all ends as early.
    """
    ways: dict[object, list[tuple[Ends, tuple]]] = {state: [(free, ())]}
    for _ in range(steps):
        longer: dict[object, list[tuple[Ends, tuple]]] = {}
        for done, reached in ways.items():
            for ends, choices in reached:
                for choice, after, new_ends in moves(done, ends):
                    _keep(longer.setdefault(after, []), new_ends, (*choices, choice))
        ways = longer
    return min((max(ends), choices) for reached in ways.values() for ends, choices in reached)[1]


def _keep(reached: list[tuple[Ends, tuple]], ends: Ends, choices: tuple) -> None:
    """Add a way unless another one is as early everywhere, and drop those that it beats."""
    if any(all(a <= b for a, b in zip(other, ends, strict=True)) for other, _ in reached):
        return
    reached[:] = [way for way in reached if not all(a <= b for a, b in zip(ends, way[0], strict=True))]
    reached.append((ends, choices))


def _flow_moves(instance: FlowShop) -> Moves:
    def moves(done: object, ends: Ends) -> Iterator[tuple[object, object, Ends]]:
        assert isinstance(done, int)
        for job, times in enumerate(instance.times):
            if not done >> job & 1:
                ready, after = 0, list(ends)
                for machine, time in enumerate(times):
                    ready = after[machine] = max(ready, after[machine]) + time
                yield job, done | 1 << job, tuple(after)

    return moves


def _shop_moves(instance: JobShop) -> Moves:
    def moves(done: object, ends: Ends) -> Iterator[tuple[object, object, Ends]]:
        assert isinstance(done, tuple)
        for job, at in enumerate(done):
            if at < len(instance.times[job]):
                machine, after = instance.machines[job][at], list(ends)
                slot = len(done) + machine
                after[job] = after[slot] = max(ends[job], ends[slot]) + instance.times[job][at]
                yield (job, machine), (*done[:job], at + 1, *done[job + 1 :]), tuple(after)

    return moves
