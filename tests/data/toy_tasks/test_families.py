"""Chain families: their marks and their rules."""

import pytest

from data.problems import user_text
from data.toy_tasks.families import family_problem, family_reward, rule_score


def test_family_problem__families_take_turns_and_differ_in_their_marks():
    problems = [family_problem(0, index) for index in range(8)]
    assert [problem.task for problem in problems] == ["low", "high", "short", "long"] * 2
    assert [user_text(problem)[0] for problem in problems] == ["v", "=", ";", "#"] * 2
    assert len({problem.problem_id for problem in problems}) == 8


@pytest.mark.parametrize(
    ("completion", "family", "expected"),
    [
        ("1;4;#4", "low", 1.0),
        ("1;4;5;#9", "low", 0.5),
        ("1;4;5;#9", "high", 0.5),
        ("#7", "short", 1.0),
        ("1;2;3;4;5;6;7;#8", "short", 0.0),
        ("1;2;#2", "long", 0.25),
        ("1" * 20, "long", 1.0),
        ("", "short", 0.0),
        ("#;", "low", 0.0),
    ],
)
def test_rule_score__by_family(completion, family, expected):
    assert rule_score(completion, family) == pytest.approx(expected)


def test_family_reward__reads_the_family_of_each_row():
    completions = ["#7", [{"role": "assistant", "content": "#7"}]]
    assert family_reward(prompts=["", ""], completions=completions, task=["short", "low"]) == [1.0, 0.0]
