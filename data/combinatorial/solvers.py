"""Solvers: OR-Tools' CP-SAT and PyVRP on larger instances, of the extra `combinatorial`."""

import importlib
from collections.abc import Callable, Iterable
from importlib.metadata import version
from typing import Any

from data.combinatorial.reference import Reference
from rewards.errors import InputError
from rewards.feasibility.bin_packing import BinPacking
from rewards.feasibility.cvrp import Cvrp
from rewards.feasibility.flow_shop import FlowShop
from rewards.feasibility.instance import Instance, Solution
from rewards.feasibility.job_shop import JobShop
from rewards.feasibility.knapsack import Knapsack
from rewards.feasibility.pvrp import Pvrp, PvrpPreferences
from rewards.feasibility.tsp import Tsp

CLOSED = 10**7
"""Distance into a client that is closed to the vehicle."""


def solve(instance: Instance, *, seconds: float, seed: int) -> Reference:
    """Return the best solution found within the time limit.

    Raises InputError without the extra `combinatorial`, and when nothing was found in time.
    """
    if isinstance(instance, Cvrp | Pvrp):
        return _by_pyvrp(instance, seconds, seed)
    return _by_cp_sat(instance, seconds, seed)


def _imported(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise InputError(
            "a reference for an instance of this size needs a solver; install Heed with the extra `combinatorial`"
        ) from error


def _reference(
    instance: Instance, solution: Solution, package: str, seconds: float, seed: int, *, proven: bool
) -> Reference:
    return Reference(
        solution=solution,
        objective=instance.objective(solution),
        solver=package,
        version=version(package),
        seconds=seconds,
        seed=seed,
        proven=proven,
    )


# ---- CP-SAT ----


def _by_cp_sat(instance: Instance, seconds: float, seed: int) -> Reference:
    cp_model = _imported("ortools.sat.python.cp_model")
    model = cp_model.CpModel()
    match instance:
        case Tsp():
            read = _tour_model(model, instance)
        case Knapsack():
            read = _knapsack_model(model, instance)
        case BinPacking():
            read = _bin_model(model, instance)
        case FlowShop():
            read = _flow_model(model, instance)
        case JobShop():
            read = _shop_model(model, instance)
        case _:
            raise AssertionError(f"{instance.problem} is not for CP-SAT")
    solver = cp_model.CpSolver()
    solver.parameters.max_time_in_seconds = seconds
    solver.parameters.random_seed = seed
    solver.parameters.num_workers = 1  # instances are solved in parallel
    status = solver.solve(model)
    if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        raise InputError(f"no solution of a {instance.problem} within {seconds:g} s; raise the time limit")
    return _reference(instance, read(solver.value), "ortools", seconds, seed, proven=status == cp_model.OPTIMAL)


Read = Callable[[Callable[[Any], int]], Solution]
"""Value of a variable -> solution."""


def _tour_model(model: Any, instance: Tsp) -> Read:
    arcs = {
        (start, end): model.new_bool_var("")
        for start in range(instance.num_places)
        for end in range(instance.num_places)
        if start != end
    }
    model.add_circuit([(*arc, used) for arc, used in arcs.items()])
    model.minimize(sum(instance.distance(*arc) * used for arc, used in arcs.items()))

    def read(value: Callable[[Any], int]) -> Solution:
        after = {start: end for (start, end), used in arcs.items() if value(used)}
        tour, here = [], after[0]
        while here:
            tour.append(here)
            here = after[here]
        return (tuple(tour),)

    return read


def _knapsack_model(model: Any, instance: Knapsack) -> Read:
    taken = [model.new_bool_var("") for _ in instance.weights]
    model.add(sum(w * t for w, t in zip(instance.weights, taken, strict=True)) <= instance.capacity)
    model.maximize(sum(v * t for v, t in zip(instance.values, taken, strict=True)))
    return lambda value: (tuple(item for item, variable in enumerate(taken) if value(variable)),)


def _bin_model(model: Any, instance: BinPacking) -> Read:
    items = range(len(instance.weights))
    packed = {(item, box): model.new_bool_var("") for item in items for box in items if box <= item}
    used = [model.new_bool_var("") for _ in items]
    for item in items:
        model.add_exactly_one(packed[item, box] for box in items if box <= item)
    for box in items:
        load = sum(instance.weights[item] * packed[item, box] for item in items if box <= item)
        model.add(load <= instance.capacity * used[box])
    model.minimize(sum(used))

    def read(value: Callable[[Any], int]) -> Solution:
        boxes = [tuple(item for item in items if box <= item and value(packed[item, box])) for box in items]
        return tuple(box for box in boxes if box)

    return read


def _flow_model(model: Any, instance: FlowShop) -> Read:
    jobs = range(len(instance.times))
    at = {(job, place): model.new_bool_var("") for job in jobs for place in jobs}
    for one in jobs:
        model.add_exactly_one(at[one, place] for place in jobs)
        model.add_exactly_one(at[job, one] for job in jobs)
    horizon = sum(map(sum, instance.times))
    ends: dict[tuple[int, int], Any] = {}
    for place in jobs:
        for machine in range(instance.num_machines):
            time = sum(instance.times[job][machine] * at[job, place] for job in jobs)
            end = ends[place, machine] = model.new_int_var(0, horizon, "")
            model.add(end >= time)
            for before in ((place - 1, machine), (place, machine - 1)):
                if before in ends:
                    model.add(end >= ends[before] + time)
    model.minimize(ends[len(jobs) - 1, instance.num_machines - 1])
    return lambda value: (tuple(next(job for job in jobs if value(at[job, place])) for place in jobs),)


def _shop_model(model: Any, instance: JobShop) -> Read:
    horizon = sum(map(sum, instance.times))
    starts: dict[tuple[int, int], Any] = {}
    intervals: dict[int, list[Any]] = {}
    ends = []
    for job, (machines, times) in enumerate(zip(instance.machines, instance.times, strict=True)):
        before = 0
        for at, (machine, time) in enumerate(zip(machines, times, strict=True)):
            start = starts[job, at] = model.new_int_var(0, horizon, "")
            model.add(start >= before)
            intervals.setdefault(machine, []).append(model.new_fixed_size_interval_var(start, time, ""))
            before = start + time
        ends.append(before)
    for used in intervals.values():
        model.add_no_overlap(used)
    makespan = model.new_int_var(0, horizon, "")
    model.add_max_equality(makespan, ends)
    model.minimize(makespan)

    def read(value: Callable[[Any], int]) -> Solution:
        # an operation without a length goes before the one that starts with it
        order = sorted(starts, key=lambda key: (value(starts[key]), instance.times[key[0]][key[1]], key[1]))
        return tuple((job, instance.machines[job][at]) for job, at in order)

    return read


# ---- PyVRP ----


def _by_pyvrp(instance: Cvrp | Pvrp, seconds: float, seed: int) -> Reference:
    """Return the best routes found; PyVRP proves nothing.

    Costs in PyVRP are not negative. So the largest worth is added to each arc that enters a client, and to no other:
    every client is entered once, which moves all solutions by the same amount. Adding it to the arcs of a vehicle, as
    CAMP's reference does, charges trips by their number and vehicle, and moves the optimum.
    """
    pyvrp = _imported("pyvrp")
    model = pyvrp.Model()
    nodes = [model.add_location(0, 0) for _ in range(instance.num_places)]
    model.add_depot(nodes[0])
    for client in range(1, instance.num_places):
        model.add_client(nodes[client], delivery=[instance.demands[client]])
    vehicles = instance.num_vehicles if isinstance(instance, Pvrp) else 1
    for vehicle in range(vehicles):
        profile = model.add_profile()
        model.add_vehicle_type(
            num_available=instance.num_places - 1, capacity=[instance.capacity], profile=profile, name=str(vehicle)
        )
        for start, end, distance in _arcs(instance, vehicle):
            model.add_edge(nodes[start], nodes[end], distance=distance, profile=profile)
    result = model.solve(stop=_imported("pyvrp.stop").MaxRuntime(seconds), seed=seed, display=False)
    if not result.is_feasible():
        raise InputError(f"no solution of a {instance.problem} within {seconds:g} s; raise the time limit")
    return _reference(instance, _routes(instance, result.best.routes()), "pyvrp", seconds, seed, proven=False)


def _arcs(instance: Cvrp | Pvrp, vehicle: int) -> Iterable[tuple[int, int, int]]:
    """Yield the arcs of a vehicle with their costs, those into clients raised by the same amount."""
    preferring = isinstance(instance, PvrpPreferences)
    raised = max(map(max, instance.worths)) if preferring else 0
    for start in range(instance.num_places):
        for end in range(instance.num_places):
            if start != end:
                distance = instance.distance(start, end)
                if end and isinstance(instance, Pvrp):
                    distance += raised - (instance.worths[vehicle][end] if preferring else 0)
                    distance = CLOSED if instance.is_closed(vehicle, end) else distance
                yield start, end, distance


def _routes(instance: Cvrp | Pvrp, routes: Iterable[Any]) -> Solution:
    lists = []
    for route in routes:
        clients = tuple(activity.idx + 1 for activity in route if activity.is_client())
        lists.append((route.vehicle_type(), *clients) if isinstance(instance, Pvrp) else clients)
    return tuple(lists)
