"""MulDimIF reader: rows become problems with spans, and unread texts are listed."""

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


def test_read_muldimif__last_mention_is_the_span(tmp_path):
    (problem,) = read(tmp_path, make_row()).problems
    (spec,) = problem.constraints
    assert (spec.id, spec.kwargs) == ("content:ends_with_mark", {"mark": "."})
    assert user_text(problem)[slice(*spec.spans[0])] == "The Answer Must End With A Period"
    assert problem.extras == {"pattern": "example", "level": 1}


def test_read_muldimif__reworded_constraint_has_no_span(tmp_path):
    row = make_row(constraints=[["Length", "Words", "at most 9 words"]])
    assert read(tmp_path, row).problems[0].constraints[0].spans == ()


def test_read_muldimif__a_text_under_two_labels_gives_each_constraint_once(tmp_path):
    text = "at most 150 words and include at least 5 sentences"
    row = make_row(constraints=[["Length", "Words", text], ["Length", "Sentences", text]])
    kinds = [spec.id for spec in read(tmp_path, row).problems[0].constraints]
    assert sorted(kinds) == ["length_constraints:number_sentences", "length_constraints:number_words"]


def test_read_muldimif__unread_text_excludes_its_problem_and_is_listed(tmp_path):
    unknown = ["Format", "Blurb", "like a blurb"]
    contents = read(tmp_path, make_row(), make_row(id="8", constraints=[*make_row()["constraints"], unknown]))
    assert [problem.problem_id for problem in contents.problems] == ["7"]
    assert [(item.problem_id, item.triple) for item in contents.unread] == [("8", tuple(unknown))]


def test_read_muldimif__counts_texts_that_require_more_than_their_constraints(tmp_path):
    weaker = ["Content", "Keywords", "Each line must include the keyword 'sea'"]
    assert read(tmp_path, make_row(constraints=[weaker]), make_row()).num_weaker == 1


def test_read_muldimif__other_formats_are_errors_with_the_location(tmp_path):
    with pytest.raises(ValueError, match=r"test\.json row 1: expected a MulDimIF row"):
        read(tmp_path, {"prompt": "x"})


@pytest.mark.benchmark
def test_read_muldimif__reads_nearly_all_of_the_benchmark(benchmark_data):
    contents = read_muldimif(benchmark_data / "muldimif" / "test.json.gz")
    unread = {item.problem_id for item in contents.unread}
    assert len(contents.problems) + len(unread) == 1200
    assert len(contents.problems) >= 1143
