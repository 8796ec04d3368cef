"""Feasibility: (kind, arguments, completion, margin, text under the evidence; ... = the whole completion)."""

import json

POINTS = [[0, 0], [3, 0], [3, 3], [0, 3]]
"""A square of side 3: neighbours are 3 apart, and opposite corners 4.24, so 4."""


def stepwise(problem, **values):
    return {"instance": json.dumps({"problem": problem, **values}), "text": "stepwise"}


TSP = stepwise("tsp", points=POINTS)
TOUR = "go 1: 0 + 3 = 3\ngo 2: 3 + 3 = 6\ngo 3: 6 + 3 = 9\nback: 9 + 3 = 12\nlength 12"
TOUR_LINES = [line for line in TOUR.splitlines() if not line.startswith("back")]
CVRP = stepwise("cvrp", points=POINTS, demands=[0, 2, 3, 4], capacity=9)
FULL = stepwise("cvrp", points=POINTS, demands=[0, 2, 3, 4], capacity=6)
ROUTE = (
    "route 1\nvisit 1: load 0 + 2 = 2, way 0 + 3 = 3\nvisit 2: load 2 + 3 = 5, way 3 + 3 = 6\n"
    "visit 3: load 5 + 4 = 9, way 6 + 3 = 9\nback: way 9 + 3 = 12\nlength 12"
)
VISITS = [line for line in ROUTE.splitlines() if line.startswith("visit")]
SHOP = stepwise("job_shop", machines=[[0, 1], [1]], times=[[3, 2], [4]])
RUNS = "job 1 on machine 1: 0 + 4 = 4\njob 0 on machine 0: 0 + 3 = 3\njob 0 on machine 1: 4 + 2 = 6\nmakespan 6"
MISPLACED = RUNS.replace("job 0 on machine 0: 0 + 3 = 3", "job 0 on machine 1: 4 + 3 = 7").replace(
    "4 + 2 = 6", "7 + 2 = 9"
)
ZONES = stepwise("pvrp_zones", points=POINTS[:2], demands=[0, 2], capacity=6, closed=[[1], []])
TRIP = "vehicle 1\nvisit 1: load 0 + 2 = 2, way 0 + 3 = 3\nback: way 3 + 3 = 6\nlength 6"

CASES = [
    ("feasibility:form", TSP, TOUR, 0, ...),
    ("feasibility:form", TSP, TOUR.replace("length 12", ""), -65, ["back: 9 + 3 = 12\n"]),
    ("feasibility:form", {**TSP, "text": "plain"}, "[[1, 2, 3]]", 0, ...),
    ("feasibility:form", {**TSP, "text": "plain"}, "1, 2, 3", -7, ...),
    ("feasibility:known", TSP, TOUR, 0, TOUR_LINES),
    ("feasibility:known", TSP, TOUR.replace("go 3", "go 7"), -1, ["go 7: 6 + 3 = 9"]),
    ("feasibility:once", TSP, TOUR, 0, TOUR_LINES),
    ("feasibility:once", TSP, TOUR.replace("go 3", "go 2"), -1, ["go 2: 6 + 3 = 9"]),
    ("feasibility:all", TSP, TOUR, 0, TOUR_LINES),
    ("feasibility:all", TSP, "go 3: 0 + 3 = 3\nback: 3 + 3 = 6\nlength 6", -2, ["length 6"]),
    ("feasibility:capacity", CVRP, ROUTE, 0, [*VISITS, "length 12"]),
    ("feasibility:capacity", FULL, ROUTE, -1, ["visit 3: load 5 + 4 = 9, way 6 + 3 = 9"]),
    ("feasibility:order", SHOP, RUNS, 0, RUNS.splitlines()),
    ("feasibility:order", SHOP, MISPLACED, -1, ["job 0 on machine 1: 4 + 3 = 7"]),
    ("feasibility:zones", ZONES, TRIP, 0, ["vehicle 1", TRIP.splitlines()[1], "length 6"]),
    ("feasibility:zones", ZONES, TRIP.replace("vehicle 1", "vehicle 0"), -1, [TRIP.splitlines()[1]]),
    ("feasibility:sums", TSP, TOUR, 0, ["0", "3", "3", "3", "3", "6", "6", "3", "9", "9", "3", "12", "12"]),
    ("feasibility:sums", TSP, TOUR.replace("length 12", "length 11"), -1, ["11"]),
]
