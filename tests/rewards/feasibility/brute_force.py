"""Brute force: all solutions of a small instance, and an independent statement of what they are worth."""

from itertools import combinations, permutations, product


def lists_of(numbers, problem):
    """Yield all solutions of a small instance: every subset, order and division of the numbers, feasible or not."""
    if problem in ("tsp", "flow_shop"):
        yield from ((order,) for order in permutations(numbers))
    elif problem == "knapsack":
        for size in range(len(numbers) + 1):
            yield from ((chosen,) for chosen in combinations(numbers, size))
    else:
        for order in permutations(numbers):
            for cuts in product((False, True), repeat=max(0, len(order) - 1)):
                groups = [[order[0]]]
                for number, cut in zip(order[1:], cuts, strict=True):
                    if cut:
                        groups.append([])
                    groups[-1].append(number)
                yield tuple(map(tuple, groups))


def candidates(instance):
    match instance.problem:
        case "job_shop":
            operations = [(job, machine) for job, row in enumerate(instance.machines) for machine in row]
            yield from permutations(operations)
        case "tsp" | "cvrp":
            yield from lists_of(range(1, instance.num_places), instance.problem)
        case "knapsack" | "bin_packing":
            yield from lists_of(range(len(instance.weights)), instance.problem)
        case "flow_shop":
            yield from lists_of(range(len(instance.times)), instance.problem)
        case _:
            for trips in lists_of(range(1, instance.num_places), "pvrp"):
                for cars in product(range(instance.num_vehicles), repeat=len(trips)):
                    yield tuple((car, *trip) for car, trip in zip(cars, trips, strict=True))


def rounded(points, start, end):
    """Return the distance to the nearest whole number, by whole numbers alone."""
    square = (points[start][0] - points[end][0]) ** 2 + (points[start][1] - points[end][1]) ** 2
    return next(number for number in range(999) if (2 * number + 1) ** 2 > 4 * square)


def tour(points, stops):
    return sum(rounded(points, *leg) for leg in zip((0, *stops), (*stops, 0), strict=True))


def restated(instance, solution):
    """Return the objective of a solution, or None if it is infeasible, stated anew and without running totals."""
    match instance.problem:
        case "tsp":
            return tour(instance.points, solution[0])
        case "cvrp":
            full = any(sum(instance.demands[c] for c in route) > instance.capacity for route in solution)
            return None if full else sum(tour(instance.points, route) for route in solution)
        case "knapsack":
            full = sum(instance.weights[item] for item in solution[0]) > instance.capacity
            return None if full else sum(instance.values[item] for item in solution[0])
        case "flow_shop":
            # the longest path: machines are left one after the other, at any job
            (order,), last = solution, len(instance.times[0]) - 1
            ways = product(range(len(order)), repeat=last)
            return max(
                sum(
                    instance.times[order[job]][machine]
                    for machine, (first, end) in enumerate(zip((0, *way), (*way, len(order) - 1), strict=True))
                    for job in range(first, end + 1)
                )
                for way in ways
                if list(way) == sorted(way)
            )
        case "job_shop":
            begun = [[m for j, m in solution if j == job] for job in range(len(instance.times))]
            if begun != [list(row) for row in instance.machines]:
                return None
            clock: dict[tuple[str, int], int] = {}
            for step, (job, machine) in enumerate(solution):
                at = sum(j == job for j, _ in solution[:step])
                end = max(clock.get(("job", job), 0), clock.get(("machine", machine), 0)) + instance.times[job][at]
                clock["job", job] = clock["machine", machine] = end
            return max(clock.values())
        case "bin_packing":
            full = any(sum(instance.weights[item] for item in one) > instance.capacity for one in solution)
            return None if full else len(solution)
    if any(sum(instance.demands[c] for c in clients) > instance.capacity for _, *clients in solution):
        return None
    length = sum(tour(instance.points, clients) for _, *clients in solution)
    if instance.problem == "pvrp_zones":
        shut = any(client in instance.closed[car] for car, *clients in solution for client in clients)
        return None if shut else length
    return length - sum(instance.worths[car][client] for car, *clients in solution for client in clients)


def optimum(instance):
    """Return the objective of the best feasible solution."""
    values = [value for solution in candidates(instance) if (value := restated(instance, solution)) is not None]
    return (min if instance.sign == 1 else max)(values)
