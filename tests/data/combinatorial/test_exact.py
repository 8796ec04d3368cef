"""Exact solutions: feasible, and as good as the best of all."""

from random import Random

import pytest

from data.combinatorial.exact import exact_solution
from rewards.feasibility.findings import feasible_solution
from rewards.feasibility.problems import PROBLEMS
from rewards.feasibility.texts import write
from tests.rewards.feasibility.brute_force import optimum

SIZES = {"tsp": 6, "knapsack": 6, "flow_shop": 5, "job_shop": 3, "bin_packing": 5, "cvrp": 4}


def assert_optimal(instance):
    solution = exact_solution(instance)
    assert feasible_solution(instance, write(instance, solution, "plain"), "plain") is not None
    assert instance.objective(solution) == optimum(instance)


@pytest.mark.parametrize("problem", PROBLEMS)
def test_exact_solution__equals_brute_force(problem):
    for index in range(8):
        assert_optimal(PROBLEMS[problem].draw(Random(f"exact-{problem}-{index}"), SIZES.get(problem, 3)))


@pytest.mark.exhaustive
@pytest.mark.parametrize("problem", PROBLEMS)
def test_exact_solution__equals_brute_force_on_many_instances(problem):
    for index in range(1000):
        size = 4 if problem.startswith("pvrp") else SIZES[problem]
        assert_optimal(PROBLEMS[problem].draw(Random(f"exact-{problem}-{index}"), size))


def test_exact_solution__leaves_large_instances_to_solvers():
    for problem, kind in PROBLEMS.items():
        assert problem == "knapsack" or exact_solution(kind.draw(Random(0), 13)) is None
