"""Problems: which rows are valid, and the problems they become."""

import json

import pytest

from data.problems import ConstraintSpec, Problem, from_row, request, to_row, user_text

NO_COMMA = {"id": "punctuation:no_comma", "kwargs": "{}", "text": "Use no commas.", "spans": [[18, 32]]}


def make_row(**changes):
    row = {"prompt": "Describe the sea. Use no commas.", "constraints": [NO_COMMA], "reference": None}
    return {**row, **changes}


def test_from_row__becomes_a_problem():
    problem = from_row(make_row(), default_id="file:1")
    assert problem.problem_id == "file:1" and problem.task == "instruction"
    assert problem.messages == ({"role": "user", "content": "Describe the sea. Use no commas."},)
    assert problem.constraints == (
        ConstraintSpec(id="punctuation:no_comma", kwargs={}, text="Use no commas.", spans=((18, 32),)),
    )
    start, end = problem.constraints[0].spans[0]
    assert user_text(problem)[start:end] == "Use no commas."


def test_to_row__is_inverted_by_from_row():
    problem = Problem(
        problem_id="p",
        messages=({"role": "system", "content": "Be brief."}, {"role": "user", "content": "Write 'ä' twice."}),
        constraints=(
            ConstraintSpec(
                id="keywords:frequency", kwargs={"keyword": "ä", "frequency": 2}, text="'ä'", spans=((6, 9),)
            ),
        ),
        reference="ää",
        task="letters",
        extras={"source": "ours"},
    )
    assert from_row(json.loads(json.dumps(to_row(problem)))) == problem


def test_from_row__nulls_from_arrow_are_not_arguments():
    constraint = {"id": "keywords:existence", "kwargs": {"keywords": ["sea"], "letter": None}}
    assert from_row(make_row(constraints=[constraint])).constraints[0].kwargs == {"keywords": ["sea"]}


def test_request__is_the_message_without_its_rules():
    assert request(from_row(make_row())) == "Describe the sea."
    assert request(from_row(make_row(request="The sea?"))) == "The sea?"


@pytest.mark.parametrize(
    ("changes", "argument_error"),
    [
        ({"prompt": None}, "expected a column 'prompt'"),
        ({"prompt": 3}, "expected 'prompt' to be text or a non-empty list of chat messages; got 3"),
        ({"prompt": []}, "non-empty list"),
        ({"prompt": "  "}, "the last user message is empty"),
        ({"prompt": [{"role": "user"}]}, "text 'role' and 'content'"),
        (
            {"prompt": [{"role": "assistant", "content": "", "tool_calls": [{"name": "look"}]}]},
            r"messages of column 'prompt' to have a role and a content alone; got \['tool_calls'\] too",
        ),
        ({"prompt": [{"role": "assistant", "content": "hi"}]}, "got role 'assistant'"),
        ({"reference": 7}, "expected column 'reference' to be text; got 7"),
        ({"constraints": "no commas"}, "expected 'constraints' to be a list"),
        ({"constraints": [{"kwargs": "{}"}]}, "a constraint with a text 'id'"),
        ({"constraints": [{**NO_COMMA, "kwargs": "{"}]}, "is neither JSON nor a Python literal"),
        ({"constraints": [{**NO_COMMA, "kwargs": "[1]"}]}, "to be a JSON object"),
        ({"constraints": [{**NO_COMMA, "spans": [[18]]}]}, r"to be \[start, end\]"),
        ({"constraints": [{**NO_COMMA, "spans": [[18, 33]]}]}, "does not fit the user message of 32 characters"),
        ({"constraints": [{**NO_COMMA, "spans": [[5, 5]]}]}, "does not fit"),
    ],
)
def test_from_row__bad_row_is_an_error_that_says_what_was_expected(changes, argument_error):
    with pytest.raises(ValueError, match=argument_error):
        from_row(make_row(**changes))
