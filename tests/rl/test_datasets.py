"""Datasets: which problems train and which judge, and that TRL's rows are those problems."""

import json

import pytest

from data.problems import from_row
from rl.config import Data
from rl.datasets import as_dataset, load_problems


def write_rows(path, *names: str) -> str:
    path.write_text(
        "".join(json.dumps({"problem_id": name, "prompt": f"Describe the {name}."}) + "\n" for name in names)
    )
    return str(path)


def ids(problems) -> list[str]:
    return [problem.problem_id for problem in problems]


def test_problems_are_drawn_as_many_as_asked():
    problems = load_problems(Data(num_problems=5, held_out=3))
    assert (len(problems.train), len(problems.held_out)) == (5, 3)
    assert load_problems(Data(num_problems=5, held_out=3)) == problems
    assert load_problems(Data(num_problems=5, held_out=3, seed=1)).train != problems.train


def test_drawn_problems_share_no_base_instruction():
    problems = load_problems(Data(num_problems=300, held_out=100))
    train, held_out = ({problem.extras["request"] for problem in part} for part in (problems.train, problems.held_out))
    assert len(train) >= 200
    assert len(held_out) == 100
    assert not train & held_out


def test_the_last_rows_of_a_file_are_held_out(tmp_path):
    path = write_rows(tmp_path / "rows.jsonl", "sea", "sky", "hill")
    problems = load_problems(Data(path=path, held_out=1))
    assert (ids(problems.train), ids(problems.held_out)) == (["sea", "sky"], ["hill"])


def test_nothing_may_be_held_out(tmp_path):
    problems = load_problems(Data(path=write_rows(tmp_path / "rows.jsonl", "sea", "sky"), held_out=0))
    assert (ids(problems.train), ids(problems.held_out)) == (["sea", "sky"], [])


def test_held_out_problems_may_have_a_file_of_their_own(tmp_path):
    path, held_out = write_rows(tmp_path / "rows.jsonl", "sea"), write_rows(tmp_path / "held_out.jsonl", "sky", "hill")
    problems = load_problems(Data(path=path, held_out_path=held_out))
    assert (ids(problems.train), ids(problems.held_out)) == (["sea"], ["sky", "hill"])


def test_holding_everything_out_is_an_error(tmp_path):
    path = write_rows(tmp_path / "rows.jsonl", "sea", "sky")
    with pytest.raises(ValueError, match=r"data\.held_out=2 leaves nothing to train on: .* has 2 problems"):
        load_problems(Data(path=path, held_out=2))


def test_an_empty_file_is_an_error(tmp_path):
    with pytest.raises(ValueError, match=r"rows\.jsonl holds no problems"):
        load_problems(Data(path=write_rows(tmp_path / "rows.jsonl")))


def test_the_dataset_s_rows_are_the_problems():
    # Arrow turns tuples into lists and fills missing keys in: nothing of a problem may be lost on the way
    problems = load_problems(Data(num_problems=40, held_out=0)).train
    assert tuple(from_row(row) for row in as_dataset(problems)) == problems
