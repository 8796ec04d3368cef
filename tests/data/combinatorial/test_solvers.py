"""Solvers: optimal on instances small enough to know; run where the extra `combinatorial` is installed."""

from random import Random

import pytest

from data.combinatorial.exact import exact_solution
from data.combinatorial.references import reference_of
from data.combinatorial.solvers import _arcs, solve
from rewards.feasibility.findings import feasible_solution
from rewards.feasibility.problems import PROBLEMS
from rewards.feasibility.texts import write

CP_SAT = ("tsp", "knapsack", "flow_shop", "job_shop", "bin_packing")
ROUTED = ("cvrp", "pvrp_preferences", "pvrp_zones")


def assert_as_good_as_exact(problem, number, *, size, seconds):
    for index in range(number):
        instance = PROBLEMS[problem].draw(Random(f"solver-{problem}-{index}"), size)
        reference = solve(instance, seconds=seconds, seed=0)
        assert feasible_solution(instance, write(instance, reference.solution, "plain"), "plain") is not None
        assert reference.objective == instance.objective(exact_solution(instance))
        assert (reference.solver, reference.seconds, reference.seed) == (reference.solver, seconds, 0)
        assert reference.proven == (problem in CP_SAT) and reference.version


@pytest.mark.parametrize("problem", CP_SAT)
def test_solve__cp_sat_is_optimal_and_says_so(problem):
    pytest.importorskip("ortools")
    assert_as_good_as_exact(problem, 3, size=5, seconds=30.0)


@pytest.mark.parametrize("problem", ROUTED)
def test_solve__pyvrp_equals_the_exact_cost(problem):
    pytest.importorskip("pyvrp")
    assert_as_good_as_exact(problem, 3, size=6, seconds=1.0)


@pytest.mark.exhaustive
@pytest.mark.parametrize("problem", ROUTED)
def test_solve__pyvrp_equals_the_exact_cost_on_two_hundred_instances(problem):
    pytest.importorskip("pyvrp")
    assert_as_good_as_exact(problem, 200, size=6, seconds=1.0)


def test_arcs__only_those_into_clients_are_raised():
    # the largest worth is 9: into client 1 by vehicle 0 it is 3 + 9 - 2, by vehicle 1 3 + 9 - 9, back to the depot 3
    instance = PROBLEMS["pvrp_preferences"](
        points=((0, 0), (0, 3)), demands=(0, 5), capacity=10, worths=((0, 2), (0, 9))
    )
    assert list(_arcs(instance, 0)) == [(0, 1, 10), (1, 0, 3)]
    assert list(_arcs(instance, 1)) == [(0, 1, 3), (1, 0, 3)]


def test_reference_of__says_what_to_install(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "ortools.sat.python.cp_model", None)
    monkeypatch.setitem(sys.modules, "ortools", None)
    with pytest.raises(ValueError, match="install Heed with the extra `combinatorial`"):
        reference_of(PROBLEMS["tsp"].draw(Random(0), 20))


def test_reference_of__small_instances_need_no_solver():
    reference = reference_of(PROBLEMS["tsp"](points=((0, 0), (3, 0), (3, 3), (0, 3))))
    assert (reference.objective, reference.proven, reference.solver) == (12, True, "dynamic programming")
