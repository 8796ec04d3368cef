"""Arithmetic chains, worked out by hand."""

import pytest

from data.problems import user_text
from data.toy_tasks.arithmetic import LENGTHS, SIGNS, chain_problem, exact_answer, is_correct, running_values, solution


def test_running_values__are_computed_step_by_step():
    # the larger of 7 and 5 is 7, the smaller of 7 and 3 is 3
    assert running_values("7^5v3=") == ["7", "3"]
    assert solution("7^5v3=") == "7;3;#3"


def test_chain_problem__depends_on_seed_and_index():
    assert chain_problem(0, 3) == chain_problem(0, 3)
    assert user_text(chain_problem(0, 3)) != user_text(chain_problem(1, 3))


def test_chain_problem__has_its_lengths_and_signs():
    for index in range(200):
        problem = chain_problem(0, index)
        prompt = user_text(problem)
        assert LENGTHS[0] <= len(running_values(prompt)) <= LENGTHS[1]
        assert set(prompt + solution(prompt)) <= set(SIGNS)
        assert is_correct(solution(prompt), str(problem.reference))


@pytest.mark.parametrize(
    ("completion", "right"),
    [("2;9;#9", True), ("#9", True), ("2;9;#8", False), ("9", False), ("#1;#9", True), ("", False)],
)
def test_is_correct__compares_the_text_after_the_last_mark(completion, right):
    assert is_correct(completion, "9") is right


def test_exact_answer__accepts_text_and_messages():
    completions = ["#9", [{"role": "assistant", "content": "#8"}]]
    assert exact_answer(prompts=["", ""], completions=completions, reference=["9", "9"]) == [1.0, 0.0]
