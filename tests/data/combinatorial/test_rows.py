"""Rows: the same instance for the same key, rules with spans, and a reference that keeps them all."""

import json

import pytest

from data.combinatorial.references import reference_of
from data.combinatorial.rows import chat_row, draw_instance, instance_problem
from data.problems import from_row, user_text
from data.verdicts import verdicts_for
from rewards.feasibility.problems import PROBLEMS, from_json, to_json


@pytest.mark.parametrize("problem", PROBLEMS)
def test_draw_instance__is_a_function_of_seed_index_and_size(problem):
    keys = [(0, 0, 5), (0, 1, 5), (1, 0, 5), (0, 0, 8)]
    drawn = [draw_instance(problem, *key) for key in keys]
    assert drawn == [draw_instance(problem, *key) for key in keys] and len(set(drawn)) == 4
    assert [from_json(to_json(instance)) for instance in drawn] == drawn


@pytest.mark.parametrize("kind", ["plain", "stepwise"])
@pytest.mark.parametrize("problem", PROBLEMS)
def test_chat_row__its_completion_keeps_every_rule_that_its_prompt_states(problem, kind):
    instance = draw_instance(problem, 0, 0, 4)
    reference = reference_of(instance)
    row = json.loads(json.dumps(chat_row(instance_problem("x", instance, kind), instance, reference, kind)))
    read = from_row(row)
    assert all(verdict.satisfied for verdict in verdicts_for(read, row["completion"][0]["content"]))
    for spec in read.constraints:
        [(start, end)] = spec.spans
        assert user_text(read)[start:end] == spec.text
    assert row["task"] == problem and row["reference"] == str(reference.objective) and row["proven"]
    assert row["completion"][0]["content"] not in user_text(read)


def test_instance_problem__a_compact_prompt_is_a_name_and_numbers():
    instance = PROBLEMS["knapsack"](weights=(2, 5), values=(9, 7), capacity=6)
    problem = instance_problem("x", instance, "plain", compact=True)
    assert user_text(problem) == "knapsack\n6\n0: 2 9\n1: 5 7\n\n"


def test_draw_instance__names_the_problems_there_are():
    with pytest.raises(ValueError, match=r"unknown problem 'tps'; there is tsp, cvrp"):
        draw_instance("tps", 0, 0, 5)
    with pytest.raises(ValueError, match="at least 2, got 1"):
        draw_instance("tsp", 0, 0, 1)
