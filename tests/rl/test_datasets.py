"""Datasets: which problems are trained on and which are held out; TRL's rows are those problems."""

import json

import pytest

from data.problems import from_row
from rl.config.data import DataConfig
from rl.datasets import as_dataset, as_preferences, load_pairs, load_problems


def write_rows(path, *names: str) -> str:
    path.write_text(
        "".join(json.dumps({"problem_id": name, "prompt": f"Describe the {name}."}) + "\n" for name in names)
    )
    return str(path)


def ids(problems) -> list[str]:
    return [problem.problem_id for problem in problems]


def test_load_problems__draws_as_many_as_configured():
    problems = load_problems(DataConfig(num_problems=5, held_out=3))
    assert (len(problems.train), len(problems.held_out)) == (5, 3)
    assert load_problems(DataConfig(num_problems=5, held_out=3)) == problems
    assert load_problems(DataConfig(num_problems=5, held_out=3, seed=1)).train != problems.train


def test_load_problems__training_and_held_out_share_no_base_instruction():
    problems = load_problems(DataConfig(num_problems=300, held_out=100))
    train, held_out = ({problem.extras["request"] for problem in part} for part in (problems.train, problems.held_out))
    assert len(train) >= 200
    assert len(held_out) == 100
    assert not train & held_out


def test_load_problems__holds_out_the_last_rows_of_a_file(tmp_path):
    path = write_rows(tmp_path / "rows.jsonl", "sea", "sky", "hill")
    problems = load_problems(DataConfig(path=path, held_out=1))
    assert (ids(problems.train), ids(problems.held_out)) == (["sea", "sky"], ["hill"])


def test_load_problems__may_hold_out_nothing(tmp_path):
    problems = load_problems(DataConfig(path=write_rows(tmp_path / "rows.jsonl", "sea", "sky"), held_out=0))
    assert (ids(problems.train), ids(problems.held_out)) == (["sea", "sky"], [])


def test_load_problems__held_out_problems_may_have_their_own_file(tmp_path):
    path, held_out = write_rows(tmp_path / "rows.jsonl", "sea"), write_rows(tmp_path / "held_out.jsonl", "sky", "hill")
    problems = load_problems(DataConfig(path=path, held_out_path=held_out))
    assert (ids(problems.train), ids(problems.held_out)) == (["sea"], ["sky", "hill"])


def test_load_problems__refuses_to_hold_everything_out(tmp_path):
    path = write_rows(tmp_path / "rows.jsonl", "sea", "sky")
    with pytest.raises(ValueError, match=r"data\.held_out=2 leaves nothing to train on: .* has 2 problems"):
        load_problems(DataConfig(path=path, held_out=2))


def test_load_problems__refuses_an_empty_file(tmp_path):
    with pytest.raises(ValueError, match=r"rows\.jsonl holds no problems"):
        load_problems(DataConfig(path=write_rows(tmp_path / "rows.jsonl")))


def test_as_dataset__rows_are_the_problems():
    # Arrow turns tuples into lists and fills missing keys in: nothing of a problem may be lost on the way
    problems = load_problems(DataConfig(num_problems=40, held_out=0)).train
    assert tuple(from_row(row) for row in as_dataset(problems)) == problems


def write_pairs(path, *names: str) -> str:
    """Two pairs a prompt."""
    rows = [
        {"prompt": f"Describe the {name}.", "chosen": f"The {name}{mark}", "rejected": "No."}
        for name in names
        for mark in (".", "!")
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def test_load_pairs__no_prompt_is_trained_on_and_held_out(tmp_path):
    pairs = load_pairs(DataConfig(path=write_pairs(tmp_path / "pairs.jsonl", "sea", "sky", "rain"), held_out=1))
    assert [pair.chosen.text for pair in pairs.train] == ["The sea.", "The sea!", "The sky.", "The sky!"]
    assert [problem.messages[-1]["content"] for problem in pairs.held_out] == ["Describe the rain."]


def test_load_pairs__refuses_to_hold_everything_out(tmp_path):
    path = write_pairs(tmp_path / "pairs.jsonl", "sea", "sky")
    with pytest.raises(ValueError, match=r"data\.held_out=2 leaves nothing to train on"):
        load_pairs(DataConfig(path=path, held_out=2))


def test_load_pairs__names_a_row_that_is_no_pair(tmp_path):
    (tmp_path / "pairs.jsonl").write_text('{"prompt": "Describe the sea.", "chosen": "It is blue."}\n')
    with pytest.raises(ValueError, match=r"pairs\.jsonl:1: expected column 'rejected'"):
        load_pairs(DataConfig(path=str(tmp_path / "pairs.jsonl"), held_out=0))


def test_as_preferences__rows_are_the_pairs_by_index(tmp_path):
    pairs = load_pairs(DataConfig(path=write_pairs(tmp_path / "pairs.jsonl", "sea"), held_out=0)).train
    dataset = as_preferences(pairs)
    assert dataset["pair"] == [0, 1]
    assert dataset["prompt"][0] == [{"role": "user", "content": "Describe the sea."}]
    assert dataset["chosen"][1] == [{"role": "assistant", "content": "The sea!"}]
