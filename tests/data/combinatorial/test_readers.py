"""Readers: benchmark files, whose best known solutions are feasible and cost what is said."""

import os
import re
from pathlib import Path

import pytest

from data.combinatorial.benchmark_files import read_bpplib, read_job_shops, read_taillard
from data.combinatorial.exact import exact_solution
from data.combinatorial.tsplib import read_routes, read_tour, read_tsplib
from rewards.feasibility.findings import feasible_solution
from rewards.feasibility.texts import write

FOLDER = Path(os.environ.get("HEED_BENCHMARK_DATA", "")) / "co"


def assert_feasible(instance, solution, value):
    for kind in ("plain", "stepwise"):
        assert feasible_solution(instance, write(instance, solution, kind), kind) is not None
    assert instance.objective(solution) == value


def test_read_tsplib__tables_of_all_forms(tmp_path):
    forms = {
        "FULL_MATRIX": "0 1 2 1 0 3 2 3 0",
        "UPPER_ROW": "1 2 3",
        "UPPER_DIAG_ROW": "0 1 2 0 3 0",
        "LOWER_ROW": "1 2 3",
        "LOWER_DIAG_ROW": "0 1 0 2 3 0",
    }
    for form, numbers in forms.items():
        path = tmp_path / "three.tsp"
        head = f"TYPE : TSP\nDIMENSION: 3\nEDGE_WEIGHT_TYPE: EXPLICIT\nEDGE_WEIGHT_FORMAT: {form}\n"
        path.write_text(f"{head}EDGE_WEIGHT_SECTION\n{numbers}\nEOF\n")
        assert read_tsplib(path).distances == ((0, 1, 2), (1, 0, 3), (2, 3, 0))


def test_read_tsplib__names_an_unknown_type(tmp_path):
    path = tmp_path / "a.tsp"
    path.write_text("TYPE: TSP\nDIMENSION: 1\nEDGE_WEIGHT_TYPE: XRAY1\nNODE_COORD_SECTION\n1 0 0\nEOF\n")
    with pytest.raises(ValueError, match=r"a.tsp: EDGE_WEIGHT_TYPE XRAY1 is not known; EUC_2D, ATT, GEO"):
        read_tsplib(path)


@pytest.mark.benchmark
@pytest.mark.parametrize("name", ["att48", "bayg29", "berlin52", "fri26", "gr24", "gr48", "ulysses16"])
def test_read_tsplib__optimal_tours_have_their_known_length(name):
    known = re.search(rf"^{name} : (\d+)", (FOLDER / "tsp/solutions.txt").read_text(), flags=re.MULTILINE)
    assert_feasible(read_tsplib(FOLDER / f"tsp/{name}.tsp"), read_tour(FOLDER / f"tsp/{name}.opt.tour"), int(known[1]))


@pytest.mark.benchmark
@pytest.mark.parametrize("name", ["A-n32-k5", "B-n31-k5", "E-n13-k4", "P-n16-k8", "X-n101-k25", "X-n110-k13"])
def test_read_tsplib__published_routes_have_their_stated_cost(name):
    routes, cost = read_routes(FOLDER / f"cvrp/{name}.sol")
    assert_feasible(read_tsplib(FOLDER / f"cvrp/{name}.vrp"), routes, cost)


@pytest.mark.benchmark
def test_read_taillard__has_the_dimensions_and_bounds_of_its_head():
    [(shop, bounds)] = read_taillard(FOLDER / "fsp/tai20_5_0.fsp")
    assert (len(shop.times), shop.num_machines) == (20, 5) and (bounds.lower, bounds.upper) == (1232, 1278)
    assert shop.times[0] == (54, 79, 16, 66, 58)
    # the jobs by themselves: no order ends before the busiest machine, and any order after the published optimum
    order = (tuple(range(20)),)
    assert shop.objective(order) >= bounds.upper
    assert feasible_solution(shop, write(shop, order, "stepwise"), "stepwise") is not None


@pytest.mark.benchmark
def test_read_job_shops__reads_all_instances():
    shops = read_job_shops(FOLDER / "jsp/benchmark_instances.json.gz")
    assert len(shops) == 162
    shop, bounds = shops["ft06"]
    assert (bounds.lower, bounds.upper) == (55, 55) and shop.machines[0] == (2, 0, 1, 3, 5, 4)
    in_turn = tuple((job, shop.machines[job][at]) for at in range(6) for job in range(6))
    assert feasible_solution(shop, write(shop, in_turn, "plain"), "plain") is not None
    assert shop.objective(in_turn) >= 55


@pytest.mark.benchmark
def test_read_bpplib__all_files_are_read():
    paths = sorted((FOLDER / "binpack").glob("PM_*.txt"))
    small = read_bpplib(FOLDER / "binpack/PM_u010_01.txt")
    assert len(paths) == 20 and (len(small.weights), small.capacity, small.weights[0]) == (10, 150, 24)
    # 24 + 44 + 76 = 144, 78 + 52 = 130, 96, 58 + 67 = 125, 74 + 59 = 133: the weights sum to 628, more than 4 x 150
    best = exact_solution(small)
    assert_feasible(small, best, 5)
