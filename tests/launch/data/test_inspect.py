"""`heed data inspect`: the format of a file, its rows and constraints, and what would be left out."""

import json

from data.writing import write_rows
from launch.data.inspect import inspect_command

USER = {"role": "user", "content": "Describe rain."}


def test_inspect__counts_rows_constraints_and_what_would_be_left_out(tmp_path, capsys):
    truths = ["[{'instruction_id': ['punctuation:no_comma'], 'kwargs': [None]}]"] * 4
    truths += ["[{'instruction_id': ['made:up'], 'kwargs': [None]}]", "18"]
    path = write_rows([{"messages": [USER], "ground_truth": truth} for truth in truths], tmp_path / "rows.jsonl")
    with path.open("a") as file:
        file.write("{\n")
    result = inspect_command(str(path))
    assert result["formats"] == {"open-instruct": 6}
    assert (result["rows"], result["read"], result["with_constraints"], result["with_reference"]) == (7, 5, 4, 1)
    assert result["kinds"] == {"punctuation:no_comma": 4}
    assert [line.split(": ")[0] for line in result["left_out"]] == ["rows.jsonl:5", "rows.jsonl:7"]
    printed = capsys.readouterr().out
    assert printed.count("Describe rain.") == 3 and "data.unreadable=skip" in printed


def test_inspect__takes_chosen_and_rejected_for_pairs(tmp_path):
    answers = [{"role": "assistant", "content": text} for text in ("It falls.", "Wet.")]
    rows = [{"chosen": [USER, answers[0]], "rejected": [USER, answers[1]]}]
    result = inspect_command(str(write_rows(rows, tmp_path / "pairs.jsonl")))
    assert (result["pairs"], result["formats"]) == (1, {"TRL preferences without a prompt": 1})
    json.dumps(result)
