"""Solutions: random ones of each problem, feasible or not, for the tests of texts and rules."""

from random import Random

from hypothesis import strategies as st

from rewards.feasibility.problems import PROBLEMS

SINGLE = ("tsp", "knapsack", "flow_shop")
"""Problems with a single list of choices."""


def drawn_instance(data):
    """Return an instance of any problem; hypothesis draws its seed, as beartype's own random numbers confuse it."""
    problem, seed = data.draw(st.sampled_from(sorted(PROBLEMS))), data.draw(st.integers(0, 999))
    return PROBLEMS[problem].draw(Random(seed), data.draw(st.integers(2, 8)))


def any_solution(problem):
    """Return a strategy for solutions of the right shape, whatever rules they break."""
    numbers = st.integers(0, 9)
    if problem in SINGLE:
        return st.lists(numbers, max_size=8).map(lambda one: (tuple(one),))
    sizes = {"job_shop": (2, 2), "pvrp_preferences": (1, 5), "pvrp_zones": (1, 5)}
    low, high = sizes.get(problem, (0, 4))
    return st.lists(st.lists(numbers, min_size=low, max_size=high).map(tuple), max_size=5).map(tuple)


def random_feasible(instance, rng: Random):
    """Return a feasible solution, mostly a bad one: by trying random ones, grown within the capacity."""
    match instance.problem:
        case "tsp":
            return (tuple(rng.sample(range(1, instance.num_places), instance.num_places - 1)),)
        case "flow_shop":
            return (tuple(rng.sample(range(len(instance.times)), len(instance.times))),)
        case "job_shop":
            order = [job for job, row in enumerate(instance.times) for _ in row]
            rng.shuffle(order)
            machines = [iter(row) for row in instance.machines]
            return tuple((job, next(machines[job])) for job in order)
        case "knapsack":
            items = rng.sample(range(len(instance.weights)), len(instance.weights))
            return (within(items, instance.weights, instance.capacity)[0],)
        case "bin_packing":
            return within(
                rng.sample(range(len(instance.weights)), len(instance.weights)), instance.weights, instance.capacity
            )
    clients = rng.sample(range(1, instance.num_places), instance.num_places - 1)
    if instance.problem == "cvrp":
        return within(clients, instance.demands, instance.capacity)
    trips = []
    for client in clients:
        open_to = [car for car in range(instance.num_vehicles) if not instance.is_closed(car, client)]
        trips.append((rng.choice(open_to), client))
    return tuple(trips)


def within(numbers, loads, capacity):
    """Return the numbers cut into lists whose loads keep the capacity."""
    groups = [[]]
    for number in numbers:
        if sum(loads[one] for one in groups[-1]) + loads[number] > capacity:
            groups.append([])
        groups[-1].append(number)
    return tuple(map(tuple, groups))
