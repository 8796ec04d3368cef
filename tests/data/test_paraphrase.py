"""Paraphrase: other words around the same constraints, their spans still known."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.expansion import instruction_problem
from data.paraphrase import fill_in_constraints, mask_constraints, paraphrase
from data.problems import request, user_text


@given(index=st.integers(min_value=0, max_value=10**5), pattern=st.sampled_from(["listing", "incorporation"]))
def test_mask_constraints__is_inverted_by_fill_in_constraints(index, pattern):
    problem = instruction_problem(0, index, pattern=pattern)
    again = fill_in_constraints(problem, mask_constraints(problem))
    assert user_text(again) == user_text(problem) and again.constraints == problem.constraints


def test_paraphrase__constraints_keep_their_words_and_spans_follow():
    problem = instruction_problem(0, 0)  # three constraints
    result = paraphrase(problem, lambda text: f"Kindly note: [[3]]; {text.replace('[[3]]', 'so forth')}")
    text = user_text(result)
    assert text.startswith("Kindly note: ") and result.extras["paraphrased"] is True
    assert [text[slice(*spec.spans[0])] for spec in result.constraints] == [spec.text for spec in problem.constraints]
    assert request(result) == request(problem)


@pytest.mark.parametrize(
    "rewrite",
    [
        lambda text: text.replace("[[1]]", ""),
        lambda text: text + " [[1]]",
        lambda text: text + " [[9]]",
        lambda text: "Do this: [[1]] [[2]] [[3]]",  # the topic is gone
    ],
)
def test_paraphrase__rewrite_that_loses_something_is_none(rewrite):
    assert paraphrase(instruction_problem(0, 0), rewrite) is None


def test_paraphrase__later_attempt_may_pass():
    attempts = iter(["[[1]]", "lost it", None])
    problem = instruction_problem(0, 0)
    result = paraphrase(problem, lambda text: next(attempts) or f"Now. {text}")
    assert user_text(result) == f"Now. {user_text(problem)}"
    attempts = iter(["[[1]]", "lost it"])
    assert paraphrase(problem, lambda text: next(attempts), attempts=2) is None


def test_mask_constraints__problem_without_spans_is_an_error():
    problem = instruction_problem(0, 0)
    bare = replace(problem, constraints=tuple(replace(spec, spans=()) for spec in problem.constraints))
    with pytest.raises(ValueError, match="each constraint needs exactly one span"):
        mask_constraints(bare)
