"""`heed data`: a language model that rewrites prompts, attributes of texts, and answers about books."""

import pytest

from data.problems import user_text
from data.reading import read_problems
from data.writing import write_rows
from launch.data.ask_model import ask_function
from launch.data.attributes import attributes_command
from launch.data.constraints import constraints_command
from launch.data.kitab import kitab_command

TEXT = "Rain falls from grey clouds. It fills the river, the lake and the sea! Who would not like the rain?"


def drawn(tmp_path, **asking):
    return constraints_command(
        level=1, pattern="incorporation", num_problems=6, seed=0, output=tmp_path / "prompts.jsonl", **asking
    )


def test_constraints__are_reworded_where_the_checks_allow(tmp_path):
    result = drawn(tmp_path, reword=lambda message: "Kindly: " + message.rpartition("\n\n")[2])
    problems = read_problems(result["file"])
    assert result["reworded"] == len(problems) == 6
    assert all(user_text(problem).startswith("Kindly: ") for problem in problems)
    # and one that answers anything else changes nothing
    untouched = drawn(tmp_path, reword=lambda message: "As you wish.")
    problems = read_problems(untouched["file"])
    assert (untouched["reworded"], len(problems)) == (0, 6)
    assert not any(user_text(problem).startswith("Kindly") for problem in problems)


def test_constraints__doubted_prompts_are_left_out(tmp_path):
    several = sum(len(problem.constraints) > 1 for problem in read_problems(drawn(tmp_path)["file"]))
    assert 0 < several < 6
    result = drawn(tmp_path, doubt=lambda message: "no")
    assert (result["doubted"], result["num_problems"]) == (several, 6 - several)


def test_attributes__texts_become_prompts_for_such_a_text(tmp_path):
    source = write_rows([{"text": TEXT}, {"response": TEXT.lower()}], tmp_path / "texts.jsonl")
    result = attributes_command(source, tmp_path / "out.jsonl", sizes=(3, 8), ask=lambda _: "Sound like a poet.")
    problems = read_problems(result["file"])
    assert [problem.reference for problem in problems] == [TEXT, TEXT.lower()]
    assert all(3 <= len(problem.constraints) <= 8 for problem in problems)
    assert "Sound like a poet" in user_text(problems[0])


def test_attributes__of_many_texts_become_sets(tmp_path):
    source = write_rows([{"text": TEXT}], tmp_path / "texts.jsonl")
    result = attributes_command(source, tmp_path / "out.jsonl", sizes=(3, 5), sets=4)
    assert result["num_problems"] == 4 and 3 <= result["fewest"] <= result["most"] <= 5


def test_attributes__refuses_bad_rows_and_sizes(tmp_path):
    empty = write_rows([{"prompt": "x"}], tmp_path / "empty.jsonl")
    with pytest.raises(ValueError, match=r"empty.jsonl:1: expected a text in one of the columns"):
        attributes_command(empty, tmp_path / "out.jsonl")
    with pytest.raises(ValueError, match="between 3 and 45, the smaller first; got 5 and 4"):
        attributes_command(empty, tmp_path / "out.jsonl", sizes=(5, 4))


BOOKS = {
    "Author": "Jane Austen",
    "constraints": "title starts with E",
    "all_books": ["Emma", "Persuasion"],
    "mapped_books": ["Emma"],
}


def test_kitab__means_over_answers(tmp_path):
    rows = [{**BOOKS, "response": "1. Emma\n2. Persuasion"}, {**BOOKS, "response": "1. Emma"}]
    result = kitab_command(write_rows(rows, tmp_path / "books.jsonl"))
    # shares of the first answer are 1/2 and 1/2, of the second 1 and 0
    assert (result["satisfied"], result["unsatisfied"], result["all_correct"]) == (0.75, 0.25, 0.5)
    assert result["completeness"] == 1.0
    with pytest.raises(ValueError, match=r"books.jsonl:1: expected an answer in the column completion or response"):
        kitab_command(write_rows([BOOKS], tmp_path / "books.jsonl"))


def test_ask_function__takes_an_address_or_a_local_model():
    with pytest.raises(ValueError, match="name the model to ask for there"):
        ask_function("http://127.0.0.1:8000/v1", None)
    with pytest.raises(ValueError, match="goes with an address"):
        ask_function("tiny", "big")
    ask = ask_function("tiny", None, max_tokens=4)
    assert ask("Say hello.") != ask("Say hello.")  # a random model, asked anew
