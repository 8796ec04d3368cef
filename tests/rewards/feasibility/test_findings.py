"""Findings: each rule is broken by what it forbids, at the step that breaks it, and by nothing else."""

from random import Random

import pytest

from rewards.feasibility.findings import findings
from rewards.feasibility.instance import RULES
from rewards.feasibility.problems import PROBLEMS
from rewards.feasibility.texts import read, write
from tests.rewards.feasibility.brute_force import candidates, restated
from tests.rewards.feasibility.solutions import random_feasible


def broken(instance, text, kind):
    """Return the broken rules, each with the text under its evidence."""
    return {
        rule: [text[start:end] for start, end in verdict.evidence]
        for rule, verdict in findings(instance, text, kind).items()
        if not verdict.satisfied
    }


POINTS = ((0, 0), (3, 0), (3, 3), (0, 3))
INSTANCES = {
    "tsp": PROBLEMS["tsp"](points=POINTS),
    "cvrp": PROBLEMS["cvrp"](points=POINTS, demands=(0, 2, 3, 4), capacity=6),
    "knapsack": PROBLEMS["knapsack"](weights=(2, 5, 4), values=(9, 7, 6), capacity=7),
    "flow_shop": PROBLEMS["flow_shop"](times=((3, 2), (1, 4), (2, 2))),
    "job_shop": PROBLEMS["job_shop"](machines=((0, 1), (1, 0)), times=((3, 2), (4, 1))),
    "bin_packing": PROBLEMS["bin_packing"](weights=(6, 5, 4), capacity=10),
    "pvrp_preferences": PROBLEMS["pvrp_preferences"](
        points=POINTS, demands=(0, 2, 3, 4), capacity=6, worths=((0, 1, 2, 3), (0, 4, 5, 6))
    ),
    "pvrp_zones": PROBLEMS["pvrp_zones"](points=POINTS, demands=(0, 2, 3, 4), capacity=6, closed=((3,), (1,))),
}

# (problem, solution, broken rule -> the choices under its evidence in a plain text)
BROKEN = [
    ("tsp", ((1, 2, 3),), {}),
    ("tsp", ((1, 2, 2),), {"once": ["2"], "all": ["]"]}),
    ("tsp", ((1, 2, 3, 7),), {"known": ["7"]}),
    ("tsp", ((1, 2, 3, 0),), {"known": ["0"]}),
    ("tsp", ((3, 1),), {"all": ["]"]}),
    ("tsp", ((1,), (2, 3)), None),
    ("cvrp", ((1, 2), (3,)), {}),
    ("cvrp", ((3, 2), (1,)), {"capacity": ["2"]}),
    ("cvrp", ((1, 2, 3),), {"capacity": ["3"]}),
    ("cvrp", ((1, 2), (3, 1)), {"once": ["1"]}),
    ("knapsack", ((0, 1),), {}),
    ("knapsack", ((),), {}),
    ("knapsack", ((1, 2),), {"capacity": ["2"]}),
    ("knapsack", ((0, 0),), {"once": ["0"]}),
    ("knapsack", ((3,),), {"known": ["3"]}),
    ("flow_shop", ((1, 0, 2),), {}),
    ("flow_shop", ((1, 0),), {"all": ["]"]}),
    ("flow_shop", ((1, 0, 2, 1),), {"once": ["1"]}),
    ("job_shop", ((0, 0), (1, 1), (1, 0), (0, 1)), {}),
    ("job_shop", ((0, 1), (1, 1), (1, 0), (0, 1)), {"order": ["1"]}),
    ("job_shop", ((0, 0), (1, 1), (1, 0)), {"all": ["]"]}),
    ("job_shop", ((0, 0), (1, 1), (1, 0), (0, 1), (0, 0)), {"order": ["0"]}),
    ("job_shop", ((0, 0), (1, 1), (1, 0), (0, 1), (2, 0)), {"known": ["2"]}),
    ("bin_packing", ((0, 2), (1,)), {}),
    ("bin_packing", ((0, 1), (2,)), {"capacity": ["1"]}),
    ("bin_packing", ((0,), (1,)), {"all": ["]"]}),
    ("pvrp_preferences", ((1, 1, 2), (1, 3)), {}),
    ("pvrp_preferences", ((2, 1, 2), (1, 3)), {"known": ["2"]}),
    ("pvrp_preferences", ((1, 3, 2), (0, 1)), {"capacity": ["2"]}),
    ("pvrp_preferences", ((),), None),
    ("pvrp_zones", ((0, 1, 2), (1, 3)), {}),
    ("pvrp_zones", ((0, 1), (0, 2), (0, 3)), {"zones": ["3"]}),
    ("pvrp_zones", ((1, 1, 2), (1, 3)), {"zones": ["1"]}),
]


@pytest.mark.parametrize(("problem", "solution", "expected"), BROKEN)
def test_findings__name_the_rule_and_the_number_of_a_plain_text(problem, solution, expected):
    text = str([list(group) for group in solution])
    found = broken(INSTANCES[problem], text, "plain")
    if expected is None:
        assert set(found) == {"form", *INSTANCES[problem].rules}
    else:
        assert found == expected


@pytest.mark.parametrize(("problem", "solution", "expected"), [case for case in BROKEN if case[2] is not None])
def test_findings__name_the_step_of_a_stepwise_text(problem, solution, expected):
    instance = INSTANCES[problem]
    text = write(instance, solution, "stepwise")
    found = broken(instance, text, "stepwise")
    assert found.keys() == expected.keys()
    for rule, lines in found.items():
        numbers = expected[rule]
        assert (
            lines == [text.splitlines()[-1]]
            if numbers == ["]"]
            else all(n in line for n, line in zip(numbers, lines, strict=True))
        )


def corruptions(instance, text, rng):
    """Yield texts in which one stated number is wrong, each with the span of that number."""
    for start, end in rng.sample(read(instance, text, "stepwise").right, 3):
        other = str(int(text[start:end]) + rng.randint(1, 9))
        yield text[:start] + other + text[end:], (start, start + len(other))


@pytest.mark.parametrize("problem", PROBLEMS)
def test_sums__twenty_wrong_numbers_are_each_found_where_they_are(problem):
    rng, number = Random(7), 0
    while number < 21:
        instance = PROBLEMS[problem].draw(rng, 6)
        text = write(instance, random_feasible(instance, rng), "stepwise")
        assert broken(instance, text, "stepwise") == {}
        for corrupted, span in corruptions(instance, text, rng):
            verdicts = findings(instance, corrupted, "stepwise")
            assert [rule for rule, verdict in verdicts.items() if not verdict.satisfied] == ["sums"]
            assert span in verdicts["sums"].evidence
            number += 1


def repeated(instance, solution):
    """Return the solution with an earlier choice made again at the end, and the rules that this breaks."""
    *before, last = solution
    if instance.problem == "job_shop":
        return (*before, solution[0]), {"order"}
    first = 1 if instance.problem.startswith("pvrp") else 0  # after the vehicle
    earlier = solution[0][first]
    return (*before, (*last, earlier)), {"once"}


def unknown(instance, solution):
    """Return the solution with a choice at the end that there is not."""
    *before, last = solution
    return (*before, (99, last[1]) if instance.problem == "job_shop" else (*last, 99)), {"known"}


@pytest.mark.parametrize("kind", ["plain", "stepwise"])
@pytest.mark.parametrize("corrupt", [repeated, unknown])
@pytest.mark.parametrize("problem", PROBLEMS)
def test_findings__twenty_wrong_choices_are_each_found_where_they_are(problem, corrupt, kind):
    rng = Random(f"choices-{problem}")
    for _ in range(20):
        instance = PROBLEMS[problem].draw(rng, 5)
        solution, rules = corrupt(instance, random_feasible(instance, rng))
        text = write(instance, solution, kind)
        answer = read(instance, text, kind)
        last = {answer.steps[len(solution) - 1, at] for at in range(len(solution[-1]))}
        verdicts = findings(instance, text, kind)
        broken_rules = {rule for rule, verdict in verdicts.items() if not verdict.satisfied}
        assert rules <= broken_rules <= rules | {"capacity", "zones", "all"}
        assert all(last & set(verdicts[rule].evidence) for rule in rules)


def test_sums__a_wrong_step_does_not_make_the_ones_after_it_wrong():
    text = write(INSTANCES["tsp"], ((1, 2, 3),), "stepwise")
    assert text.splitlines() == [
        "go 1: 0 + 3 = 3",
        "go 2: 3 + 3 = 6",
        "go 3: 6 + 3 = 9",
        "back: 9 + 3 = 12",
        "length 12",
    ]
    wrong = "go 1: 0 + 2 = 2\ngo 2: 2 + 3 = 5\ngo 3: 5 + 3 = 8\nback: 8 + 3 = 11\nlength 11"
    assert broken(INSTANCES["tsp"], wrong, "stepwise") == {"sums": ["2"]}
    assert findings(INSTANCES["tsp"], wrong, "stepwise")["sums"].evidence == ((10, 11),)
    declared = text.replace("length 12", "length 11")
    assert broken(INSTANCES["tsp"], declared, "stepwise") == {"sums": ["11"]}


def assert_agrees_with_brute_force(problem, number, *, solutions):
    rng = Random(f"brute-{problem}")
    for _ in range(number):
        instance = PROBLEMS[problem].draw(rng, 2 if problem == "job_shop" else 4 if problem in SIMPLE else 3)
        everything = list(candidates(instance))
        for solution in rng.sample(everything, min(solutions, len(everything))):
            text = write(instance, solution, "plain")
            verdicts = findings(instance, text, "plain").values()
            value = restated(instance, solution)
            assert all(verdict.satisfied for verdict in verdicts) == (value is not None)
            if value is not None:
                assert instance.objective(solution) == value


SIMPLE = ("tsp", "knapsack", "flow_shop")


@pytest.mark.parametrize("problem", PROBLEMS)
def test_findings__agree_with_brute_force_about_what_is_feasible(problem):
    assert_agrees_with_brute_force(problem, 100, solutions=2)


@pytest.mark.exhaustive
@pytest.mark.parametrize("problem", PROBLEMS)
def test_findings__agree_with_brute_force_on_a_thousand_instances(problem):
    assert_agrees_with_brute_force(problem, 1000, solutions=6)


def test_rules__are_those_of_the_problems():
    assert {rule for kind in PROBLEMS.values() for rule in kind.rules} | {"form", "sums"} == set(RULES)
