"""Prompts: an instance in words and numbers, its rules with their spans, and the form of the answer."""

from collections.abc import Sequence
from functools import cache
from random import Random

from data.combinatorial.exact import exact_solution
from data.problems import ConstraintSpec
from rewards.feasibility.bin_packing import BinPacking
from rewards.feasibility.cvrp import Cvrp
from rewards.feasibility.findings import PREFIX, rules_of
from rewards.feasibility.flow_shop import FlowShop
from rewards.feasibility.instance import Instance, RuleName
from rewards.feasibility.job_shop import JobShop
from rewards.feasibility.knapsack import Knapsack
from rewards.feasibility.network import Network
from rewards.feasibility.problems import PROBLEMS, to_json
from rewards.feasibility.pvrp import Pvrp, PvrpPreferences, PvrpZones
from rewards.feasibility.texts import TextKind, write

TASKS = {
    "tsp": "Find a short round trip that begins and ends in city 0 and passes through all other cities.",
    "cvrp": "Find short routes by which vehicles serve all clients. Each route begins and ends at the depot, place 0.",
    "knapsack": "Choose items of great value for a knapsack.",
    "flow_shop": "Order the jobs so that the last one ends early. All machines take them in this order.",
    "job_shop": "Order the operations so that the last one ends early; each starts once job and machine are free.",
    "bin_packing": "Pack the items into few bins.",
    "pvrp_preferences": (
        "Find trips of low cost by which the vehicles serve all clients. Each begins and ends at the depot, place 0. "
        "The cost is the length of all trips less the worth of each visit, which depends on the vehicle."
    ),
    "pvrp_zones": (
        "Find short trips by which the vehicles serve all clients. Each begins and ends at the depot, place 0."
    ),
}
NAMES = {
    "tsp": ("city", "cities"),
    "knapsack": ("item", "items"),
    "bin_packing": ("item", "items"),
    "flow_shop": ("job", "jobs"),
    "job_shop": ("operation", "operations"),
}
"""What is chosen; clients where nothing else is said."""
LISTS = {
    "tsp": "one list in a list: the cities after city 0 in their order",
    "cvrp": "a list of lists: the clients of each route",
    "knapsack": "one list in a list: the items",
    "flow_shop": "one list in a list: the jobs in their order",
    "job_shop": "a list of lists [job, machine], one for each operation",
    "bin_packing": "a list of lists: the items of each bin",
    "pvrp_preferences": "a list of lists, one for each trip: the vehicle, then its clients",
    "pvrp_zones": "a list of lists, one for each trip: the vehicle, then its clients",
}
EXAMPLE_SIZE = 3

Fact = tuple[str, Sequence[str]]
"""A heading, and its lines of numbers."""


def prompt_text(instance: Instance, kind: TextKind) -> tuple[str, tuple[ConstraintSpec, ...]]:
    """Return a prompt for a solution in this kind of text, and the rules that it states."""
    facts = "\n\n".join("\n".join([heading, *lines]) for heading, lines in facts_of(instance))
    sentences: dict[RuleName, str] = {rule: _sentence(rule, instance, kind) for rule in rules_of(instance, kind)}
    rules = " ".join(sentence for rule, sentence in sentences.items() if rule != "form")
    text = f"{TASKS[instance.problem]} {rules}\n\n{facts}\n\n{sentences['form']}"
    starts = {rule: text.index(sentence) for rule, sentence in sentences.items()}
    return text, tuple(
        _spec(rule, instance, kind, text=sentence, spans=((starts[rule], starts[rule] + len(sentence)),))
        for rule, sentence in sentences.items()
    )


def compact_text(instance: Instance, kind: TextKind) -> tuple[str, tuple[ConstraintSpec, ...]]:
    """Return a prompt of the problem's name and numbers, for a small model, and the rules that it does not state."""
    numbers = "\n".join(line for _, lines in facts_of(instance) for line in lines)
    return f"{instance.problem}\n{numbers}\n\n", tuple(_spec(rule, instance, kind) for rule in rules_of(instance, kind))


def _spec(
    rule: RuleName, instance: Instance, kind: TextKind, *, text: str = "", spans: tuple[tuple[int, int], ...] = ()
) -> ConstraintSpec:
    return ConstraintSpec(
        id=PREFIX + rule, kwargs={"instance": to_json(instance), "text": kind}, text=text or rule, spans=spans
    )


def facts_of(instance: Instance) -> list[Fact]:
    """Return the numbers of an instance, each group with a heading."""
    match instance:
        case Cvrp():
            return [("Capacity of a vehicle:", [str(instance.capacity)]), _demands(instance), _distances(instance)]
        case Pvrp():
            capacity = "Capacity of a vehicle on each trip:", [str(instance.capacity)]
            return [capacity, _profiles(instance), _demands(instance), _distances(instance)]
        case Network():
            return [_distances(instance)]
        case Knapsack():
            pairs = list(zip(instance.weights, instance.values, strict=True))
            return [("Capacity:", [str(instance.capacity)]), ("Weight and value of each item:", _rows(pairs))]
        case BinPacking():
            items = [f"{item}: {weight}" for item, weight in enumerate(instance.weights)]
            return [("Capacity of a bin:", [str(instance.capacity)]), ("Weight of each item:", items)]
        case FlowShop():
            return [("Time of each job on machine 0, 1, ...:", _rows(instance.times))]
        case JobShop():
            pairs = zip(instance.machines, instance.times, strict=True)
            rows = [" ".join(f"{m}-{t}" for m, t in zip(*job, strict=True)) for job in pairs]
            heading = "Operations of each job in their order, as machine-time:"
            return [(heading, [f"{job}: {row}" for job, row in enumerate(rows)])]
    raise AssertionError(f"{instance.problem} has no facts")


def _rows(numbers: Sequence[Sequence[int]]) -> list[str]:
    return [f"{index}: {' '.join(map(str, row))}" for index, row in enumerate(numbers)]


def _demands(instance: Cvrp | Pvrp) -> Fact:
    return "Demand of each place:", [" ".join(map(str, instance.demands))]


def _distances(instance: Network) -> Fact:
    places = range(instance.num_places)
    return "Distances from each place to each:", _rows([[instance.distance(i, j) for j in places] for i in places])


def _profiles(instance: Pvrp) -> Fact:
    if isinstance(instance, PvrpPreferences):
        return "Worth of a visit to each place by vehicle:", _rows(instance.worths)
    assert isinstance(instance, PvrpZones)
    return "Clients that are closed to each vehicle:", _rows(instance.closed)


def _sentence(rule: RuleName, instance: Instance, kind: TextKind) -> str:
    one, many = NAMES.get(instance.problem, ("client", "clients"))
    match rule:
        case "form":
            if kind == "plain":
                return f"Answer with {LISTS[instance.problem]}, as in {_example(instance.problem, kind)}."
            steps = "Answer with a line for each step and the totals so far, as in this answer about another instance:"
            return f"{steps}\n{_example(instance.problem, kind)}"
        case "known":
            return f"Name no {one}{' or vehicle' if isinstance(instance, Pvrp) else ''} that is not listed."
        case "once":
            return f"Choose no {one} twice."
        case "all":
            return f"Leave out no {one}."
        case "capacity":
            return "Exceed no capacity."
        case "order":
            return f"Keep the {many} of a job in their order, each on its machine."
        case "zones":
            return "Send no vehicle to a client that is closed to it."
        case "sums":
            return "State no wrong number."


@cache
def _example(problem: str, kind: TextKind) -> str:
    instance = PROBLEMS[problem].draw(Random(f"example-{problem}"), EXAMPLE_SIZE)
    solution = exact_solution(instance)
    assert solution is not None, "the example is small"
    return write(instance, solution, kind)
