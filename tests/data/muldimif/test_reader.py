"""MulDimIF: rows become problems with spans, and what was not read is listed."""

import json

import pytest

from data.muldimif import read_muldimif
from data.problems import user_text


def make_row(**changes):
    content = "# Example 1:\nThe answer must end with a period.\n\nName a sea. The Answer Must End With A Period."
    row = {
        "id": "7",
        "conversations": [{"role": "user", "content": content}],
        "constraints": [["Content", "Punctuation", "The answer must end with a period."]],
        "constraint_pattern": "Example",
        "difficulty": "Level 1",
    }
    return {**row, **changes}


def read(tmp_path, *rows):
    path = tmp_path / "test.json"
    path.write_text(json.dumps(rows))
    return read_muldimif(path)


def test_a_row_becomes_a_problem_and_the_last_mention_is_the_constraint(tmp_path):
    found = read(tmp_path, make_row())
    (problem,) = found.problems
    (spec,) = problem.constraints
    assert (spec.id, spec.kwargs) == ("content:ends_with_mark", {"mark": "."})
    assert user_text(problem)[slice(*spec.spans[0])] == "The Answer Must End With A Period"
    assert problem.extras == {"pattern": "example", "level": 1}


def test_a_reworded_constraint_has_no_place(tmp_path):
    row = make_row(constraints=[["Length", "Words", "at most 9 words"]])
    assert read(tmp_path, row).problems[0].constraints[0].spans == ()


def test_one_unread_text_keeps_its_problem_out_and_is_listed(tmp_path):
    strange = ["Format", "Blurb", "like a blurb"]
    found = read(tmp_path, make_row(), make_row(id="8", constraints=[*make_row()["constraints"], strange]))
    assert [problem.problem_id for problem in found.problems] == ["7"]
    assert [(item.problem_id, item.triple) for item in found.unread] == [("8", tuple(strange))]


def test_texts_that_say_more_than_their_rules_are_counted(tmp_path):
    weaker = ["Content", "Keywords", "Each line must include the keyword 'sea'"]
    assert read(tmp_path, make_row(constraints=[weaker]), make_row()).num_weaker == 1


def test_a_row_of_another_shape_is_an_error_with_its_place(tmp_path):
    with pytest.raises(ValueError, match=r"test\.json row 1: expected a MulDimIF row"):
        read(tmp_path, {"prompt": "x"})


@pytest.mark.benchmark
def test_nearly_all_of_the_benchmark_is_read(benchmark_data):
    found = read_muldimif(benchmark_data / "muldimif" / "test.json.gz")
    unread = {item.problem_id for item in found.unread}
    assert len(found.problems) + len(unread) == 1200
    assert len(found.problems) >= 1143
