"""Quality: from 0 to 1, above every infeasible answer, by the gap to the reference; by hand."""

import json

import pytest

from rewards.feasibility.problems import PROBLEMS, to_json
from rewards.feasibility.quality import outcome, solution_quality

SQUARE = PROBLEMS["tsp"](points=((0, 0), (3, 0), (3, 3), (0, 3)))
SACK = PROBLEMS["knapsack"](weights=(2, 5, 4), values=(9, 7, 6), capacity=7)


def test_outcome__the_gap_is_positive_where_the_answer_is_worse():
    # around the square 12; across twice 3 + 4 + 3 + 4 = 14: the gap is 2 / 12
    assert outcome(SQUARE, "[[1, 2, 3]]", "plain", reference=12).gap == 0
    assert outcome(SQUARE, "[[1, 3, 2]]", "plain", reference=12).gap == pytest.approx(1 / 6)
    assert outcome(SQUARE, "[[1, 3, 2]]", "plain", reference=16).gap == pytest.approx(-1 / 8)
    # items 0 and 1 weigh 7 and are worth 16, item 0 alone 9
    assert outcome(SACK, "[[0]]", "plain", reference=16).gap == pytest.approx(7 / 16)
    assert outcome(SACK, "[[0, 1]]", "plain", reference=8).gap == -1
    assert outcome(SACK, "[[0, 1, 2]]", "plain", reference=16).objective is None


def test_outcome__a_cost_around_nothing_is_measured_by_the_scale():
    instance = PROBLEMS["pvrp_preferences"](
        points=((0, 0), (0, 3)), demands=(0, 5), capacity=10, worths=((0, 2), (0, 6))
    )
    # vehicle 1: 6 - 6 = 0; vehicle 0: 6 - 2 = 4, of the reference's length 6
    assert outcome(instance, "[[0, 1]]", "plain", reference=0, scale=6).gap == pytest.approx(4 / 6)


def test_outcome__quality_stays_between_nothing_and_one():
    assert outcome(SQUARE, "[[1, 3, 2]]", "plain", reference=16).quality == 1
    assert outcome(SQUARE, "[[1, 3, 2]]", "plain", reference=2).quality == 0
    assert outcome(SQUARE, "[[1, 3]]", "plain", reference=12).quality == 0


def test_solution_quality__rewards_and_logs_by_problem():
    rule = {"id": "feasibility:form", "kwargs": json.dumps({"instance": to_json(SQUARE), "text": "plain"})}
    other = {"id": "punctuation:no_comma", "kwargs": "{}"}
    logged = {}
    rewards = solution_quality(
        completions=["[[1, 2, 3]]", [{"content": "[[1, 3, 2]]"}], "[[1, 2]]", "[[1, 2, 3]]", "Rain."],
        constraints=[[rule], [rule], [rule], [rule], [other]],
        log_metric=logged.__setitem__,
        reference=["12", "12", "12", "12", None],
        finish_reason=["stop", "stop", "stop", "length", "stop"],
        prompts=[""] * 5,
    )
    assert rewards == [0.5, pytest.approx(0.5 * 5 / 6), 0, 0, None]
    assert logged == {
        "solution/tsp/feasible": 0.5,
        "solution/tsp/objective": 13,
        "solution/tsp/gap": pytest.approx(1 / 12),
    }
