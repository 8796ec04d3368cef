"""Reading: files and hub datasets, and errors that name the location."""

import gzip
import json

import pytest

from data.expansion import instruction_problem
from data.problems import to_row
from data.reading import read_implemented, read_problems
from data.writing import write_rows

PROBLEMS = [instruction_problem(0, index) for index in range(4)]


@pytest.mark.parametrize("name", ["problems.jsonl", "problems.parquet"])
def test_read_problems__inverts_write_rows(tmp_path, name):
    write_rows([to_row(problem) for problem in PROBLEMS], tmp_path / name)
    assert read_problems(tmp_path / name) == PROBLEMS


def test_read_problems__json_lists_and_gzip(tmp_path):
    path = tmp_path / "problems.json.gz"
    path.write_bytes(gzip.compress(json.dumps([to_row(problem) for problem in PROBLEMS]).encode()))
    assert read_problems(path) == PROBLEMS


@pytest.mark.parametrize("name", ["mine.jsonl", "mine.json"])
def test_read_problems__byte_order_mark_and_home_sign(tmp_path, monkeypatch, name):
    monkeypatch.setenv("HOME", str(tmp_path))
    row = json.dumps({"prompt": "Describe rain."})
    (tmp_path / name).write_text("\ufeff" + (row if name.endswith("l") else f"[{row}]"), encoding="utf-8")
    [problem] = read_problems(f"~/{name}")
    assert problem.messages[0]["content"] == "Describe rain."


def test_read_problems__hub_dataset_is_read_like_a_file(monkeypatch):
    calls = []

    def load_dataset(name, *, split):
        calls.append((name, split))
        return [to_row(problem) for problem in PROBLEMS]

    monkeypatch.setattr("datasets.load_dataset", load_dataset)
    assert read_problems("someone/prompts", split="test") == PROBLEMS
    assert calls == [("someone/prompts", "test")]


def test_read_problems__rows_without_an_id_are_named_by_their_location(tmp_path):
    path = tmp_path / "plain.jsonl"
    path.write_text('{"prompt": "One"}\n\n{"prompt": "Two"}\n')
    assert [problem.problem_id for problem in read_problems(path)] == ["plain.jsonl:1", "plain.jsonl:3"]


def test_read_problems__ifeval_rows(tmp_path):
    row = {
        "key": 7,
        "prompt": "Name the seas without commas.",
        "instruction_id_list": ["punctuation:no_comma", "length_constraints:number_words"],
        "kwargs": [{}, {"num_words": 5, "relation": "at least", "letter": None}],
    }
    path = write_rows([row], tmp_path / "ifeval.jsonl")
    (problem,) = read_problems(path)
    assert problem.problem_id == "7" and problem.task == "ifeval" and "kwargs" not in problem.extras
    assert [(spec.id, spec.kwargs) for spec in problem.constraints] == [
        ("punctuation:no_comma", {}),
        ("length_constraints:number_words", {"num_words": 5, "relation": "at least"}),
    ]


def test_read_implemented__counts_unimplemented_kinds(tmp_path):
    rows = [
        {"prompt": "a", "instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}]},
        {"prompt": "b", "instruction_id_list": ["made:up", "punctuation:no_comma"], "kwargs": [{}, {}]},
    ]
    problems, unimplemented = read_implemented(write_rows(rows, tmp_path / "bench.jsonl"))
    assert [problem.messages[0]["content"] for problem in problems] == ["a"]
    assert unimplemented == {"made:up": 1}


def test_read_problems__verl_rows(tmp_path):
    row = {
        "data_source": "gsm8k",
        "prompt": [{"role": "user", "content": "1 + 1?"}],
        "ability": "math",
        "reward_model": {"style": "rule", "ground_truth": "2"},
        "extra_info": {"index": 12, "split": "train"},
    }
    (problem,) = read_problems(write_rows([row], tmp_path / "verl.parquet"))
    assert (problem.problem_id, problem.task, problem.reference) == ("gsm8k-12", "math", "2")
    assert problem.extras == {"data_source": "gsm8k", "extra_info": {"index": 12, "split": "train"}}


def test_read_problems__verl_ground_truth_of_constraints(tmp_path):
    truth = json.dumps([{"instruction_id": ["punctuation:no_comma"], "kwargs": [None]}])
    row = {"data_source": "ifeval", "prompt": "Go.", "reward_model": {"ground_truth": truth}}
    (problem,) = read_problems(write_rows([row], tmp_path / "verl.jsonl"))
    assert [spec.id for spec in problem.constraints] == ["punctuation:no_comma"] and problem.reference is None


@pytest.mark.parametrize(
    ("text", "argument_error"),
    [
        ("", "bad.jsonl holds no rows; expected some with at least the column 'prompt'"),
        ('{"prompt": "a"}\n{"prompt": ', "bad.jsonl:2: expected one JSON object a line"),
        ('{"prompt": "Rain \\ud83d"}', r"bad.jsonl:1: the text '.*Rain \\ud83d' ends in half a character"),
        ('{"prompt": "a"}\n[1]', r"bad.jsonl:2: expected a JSON object with named columns; got \[1\]"),
        ('{"question": "a"}', r"bad.jsonl:1: expected a column 'prompt' .*; this row has question$"),
        ("{}", r"bad.jsonl:1: expected a column 'prompt' .*; this row has no columns$"),
        ('{"prompt": null}', r"bad.jsonl:1: expected a column 'prompt' .*; in this row it is null$"),
        (
            '{"prompt": "a", "constraints": [{"id": "punctuation:no_coma"}]}',
            "bad.jsonl:1: unknown constraint kind 'punctuation:no_coma'; the nearest is 'punctuation:no_comma'",
        ),
        (
            '{"prompt": "a", "constraints": [{"id": "length:word_range", "kwargs": {"minimum": 3}}]}',
            "bad.jsonl:1: arguments of 'length:word_range' do not fit: maximum",
        ),
        ('{"prompt": "a", "instruction_id_list": ["a", "b"], "kwargs": [{}]}', "one kwargs for each of the 2"),
        ('{"prompt": "a", "data_source": "x", "reward_model": 1}', "'reward_model' to be an object; got 1"),
    ],
)
def test_read_problems__bad_file_is_an_error_with_file_and_line(tmp_path, text, argument_error):
    path = tmp_path / "bad.jsonl"
    path.write_text(text)
    with pytest.raises(ValueError, match=argument_error):
        read_problems(path)


def test_read_problems__damaged_and_missing_files_are_named(tmp_path):
    for name in ("a.parquet", "a.jsonl.gz"):
        (tmp_path / name).write_bytes(b"no such format")
        with pytest.raises(ValueError, match=name):
            read_problems(tmp_path / name)
    with pytest.raises(ValueError, match=r"no data file .*missing\.jsonl"):
        read_problems(tmp_path / "missing.jsonl")


def test_read_problems__unreachable_hub_dataset_is_an_error(monkeypatch):
    def load_dataset(name, *, split):
        raise ConnectionError("the hub cannot be reached")

    monkeypatch.setattr("datasets.load_dataset", load_dataset)
    with pytest.raises(ValueError, match=r"'no/such' is neither .* nor a hub dataset that can be loaded: the hub"):
        read_problems("no/such")


def test_write_rows__failure_leaves_nothing_behind(tmp_path):
    with pytest.raises(TypeError):
        write_rows([{"prompt": "a"}, {"prompt": object()}], tmp_path / "rows.jsonl")
    assert list(tmp_path.iterdir()) == []


def test_write_rows__failure_leaves_the_old_file(tmp_path):
    path = write_rows([{"prompt": "old"}], tmp_path / "rows.jsonl")
    with pytest.raises(TypeError):
        write_rows([{"prompt": object()}], path)
    assert path.read_text() == '{"prompt": "old"}\n'


@pytest.mark.parametrize(("name", "rows"), [("rows.csv", [{"prompt": "a"}]), ("rows.jsonl", [])])
def test_write_rows__bad_suffix_or_no_rows_is_an_error(tmp_path, name, rows):
    with pytest.raises(ValueError, match=name):
        write_rows(rows, tmp_path / name)
