"""Datasets: which problems are trained on and which are held out; TRL's rows are those problems."""

import inspect
import json
import re
from contextlib import nullcontext

import pytest
from trl.trainer.grpo_trainer import GRPOTrainer

from data.problems import from_row
from launch.cli.main import main
from rl.common.errors import UserError
from rl.config.data import DataConfig
from rl.datasets import (
    REWARD_ARGUMENTS,
    as_dataset,
    as_preferences,
    check_order,
    check_signal,
    dataset_from_rows,
    load_pairs,
    load_problems,
    report_unreadable,
)
from tests.rl.grpo_fixtures import tiny_config


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


def test_load_problems__duplicates_of_held_out_prompts_are_not_trained_on(tmp_path):
    # the last two rows are held out, and "hill" stands among the others, too
    path = write_rows(tmp_path / "rows.jsonl", "hill", "sea", "sky", "sea", "hill", "rain")
    problems = load_problems(DataConfig(path=path, held_out=2))
    assert (ids(problems.train), ids(problems.held_out)) == (["sea", "sky", "sea"], ["hill", "rain"])
    other = write_rows(tmp_path / "held_out.jsonl", "sea", "hill")
    assert ids(load_problems(DataConfig(path=path, held_out_path=other)).train) == ["sky", "rain"]
    with pytest.raises(UserError, match=r"^data\.held_out_path=.* leaves nothing to train on: .* has 6 problems"):
        load_problems(DataConfig(path=path, held_out_path=path))


def test_load_problems__refuses_an_empty_file(tmp_path):
    with pytest.raises(ValueError, match=r"rows\.jsonl holds no rows"):
        load_problems(DataConfig(path=write_rows(tmp_path / "rows.jsonl")))


@pytest.mark.parametrize("load", [load_problems, load_pairs])
def test_unreadable_rows__end_the_run_or_are_listed_in_its_folder(tmp_path, load):
    good = {"prompt": "Describe the sea.", "chosen": "Blue.", "rejected": "Red."}
    bad = good | {"prompt": None}
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in (good, bad, good, bad)))
    with pytest.raises(ValueError, match=r"^rows\.jsonl:2: column 'prompt' is missing"):
        load(DataConfig(path=str(path), held_out=0))
    training = load(DataConfig(path=str(path), held_out=0, unreadable="skip"))
    assert len(training.train) == 2
    said = []
    report_unreadable(training, tmp_path, said.append)
    lines = (tmp_path / "unreadable_rows.txt").read_text().splitlines()
    assert [line.split(": ")[0] for line in lines] == ["rows.jsonl:2", "rows.jsonl:4"]
    assert said[0].startswith("Left out 2 rows that cannot be read") and lines[0] in said[0]


def test_as_dataset__rows_are_the_problems():
    # Arrow turns tuples into lists and fills missing keys in: nothing of a problem may be lost on the way
    problems = load_problems(DataConfig(num_problems=40, held_out=0)).train
    assert tuple(from_row(row) for row in as_dataset(problems)) == problems


def load_rows(tmp_path, *rows: dict):
    """Write rows to a file and read them as problems to train on."""
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps({"prompt": "Describe the sea."} | row) + "\n" for row in rows))
    return load_problems(DataConfig(path=str(path), held_out=0)).train


def test_as_dataset__keeps_a_column_that_the_first_row_lacks(tmp_path):
    dataset = as_dataset(load_rows(tmp_path, {}, {"level": 2}, {"hint": "blue", "level": 3}))
    assert dataset.column_names == ["problem_id", "prompt", "constraints", "reference", "task", "level", "hint"]
    assert (dataset["level"][:], dataset["hint"][:]) == ([None, 2, 3], [None, None, "blue"])


@pytest.mark.parametrize(
    ("first", "second", "types"),
    [
        (2, "high", "holds string, the rows before it int64"),
        ("high", 2, "holds int64, the rows before it string"),
        (True, 1, "holds int64, the rows before it bool"),
        ([1], 2, "holds int64, the rows before it list<item: int64>"),
        ({"a": 1}, {"a": "x"}, "holds struct<a: string>, the rows before it struct<a: int64>"),
        (1, [1, "x"], r"holds a value that mixes types or does not fit any: \[1, 'x'\]"),
        (1, 2**70, "holds a value that mixes types or does not fit any: 1180591620717411303424"),
    ],
)
def test_as_dataset__names_row_column_and_types_of_a_mixed_column(tmp_path, first, second, types):
    rows = load_rows(tmp_path, {}, {"level": first}, {}, {"problem_id": "hill", "level": second}, {"level": first})
    with pytest.raises(UserError, match=rf"^training row 4 \(problem 'hill'\): column 'level' {types}"):
        as_dataset(rows)


@pytest.mark.parametrize("name", REWARD_ARGUMENTS)
def test_as_dataset__refuses_a_column_named_like_a_reward_argument(tmp_path, name):
    with pytest.raises(UserError, match=f"^column '{name}' of the data has the name of an argument that TRL passes"):
        as_dataset(load_rows(tmp_path, {}, {name: "x"}))


@pytest.mark.parametrize("name", ["image", "images"])
def test_as_dataset__refuses_a_column_in_which_trl_looks_for_pictures(tmp_path, name):
    with pytest.raises(UserError, match=f"^column '{name}' of the data is where TRL looks for pictures"):
        as_dataset(load_rows(tmp_path, {}, {name: "sea.png"}))


def test_reward_arguments__are_those_that_trl_passes():
    source = inspect.getsource(GRPOTrainer._calculate_rewards)
    assert "prompts=prompts, completions=completions, completion_ids=completion_ids_list, **reward_kwargs" in source
    passed = set(re.findall(r'(?<!row_)reward_kwargs\["(\w+)"\] = ', source))
    assert {"prompts", "completions", "completion_ids"} | passed == set(REWARD_ARGUMENTS)


def test_dataset_from_rows__names_a_row_without_an_id_by_its_number():
    with pytest.raises(UserError, match=r"^training row 2: column 'chosen' holds string, the rows before it list"):
        dataset_from_rows([{"chosen": [{"role": "assistant", "content": "Blue."}]}, {"chosen": "Blue."}])


def test_train__refuses_mixed_columns_before_a_run_folder_is_made(tmp_path, capsys):
    load_rows(tmp_path, {"level": 2}, {"level": "high"})
    data, run = tmp_path / "rows.jsonl", tmp_path / "run"
    with pytest.raises(SystemExit, match=r"^2$"):
        main(["train", "tiny", f"data.path={data}", "data.held_out=0", f"run.folder={run}"])
    assert "training row 2 (problem 'rows.jsonl:2'): column 'level' holds string" in capsys.readouterr().err
    assert not run.exists()


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
    assert ids(pairs.held_out) == ["pairs.jsonl:6"]


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


def test_check_signal__refuses_problems_that_nothing_rewards(tmp_path):
    path = write_rows(tmp_path / "rows.jsonl", "sea", "sky")
    config = tiny_config(data={"path": path}, rewards={"satisfaction_weight": 1.0, "functions": []})
    with pytest.raises(UserError, match=r"none of the 2 training problems has a constraint.*rewards\.functions"):
        check_signal(config, load_problems(config.data))
    rewarded = tiny_config(data={"path": path})
    check_signal(rewarded, load_problems(rewarded.data))


def test_check_signal__refuses_less_than_one_batch(tmp_path):
    # 4 rows a micro-batch x 2 micro-batches / 4 completions a problem: 2 problems a batch
    config = tiny_config(data={"path": write_rows(tmp_path / "rows.jsonl", "sea")})
    with pytest.raises(UserError, match=r"1 training problems, and one generation batch takes 2 .*size=4 x 2 micro"):
        check_signal(config, load_problems(config.data))


def test_check_order__refuses_a_run_that_ends_within_its_first_epoch():
    # a batch has 8 / 4 = 2 problems, so 8 problems are 4 steps, and the curriculum begins with the fifth
    for steps, refused in ((4, True), (5, False)):
        config = tiny_config(data={"order": "easy_first"}, trainer={"max_steps": steps})
        problems = load_problems(config.data)
        with pytest.raises(UserError, match=r"max_steps=4 .* 4 generation batches of 2") if refused else nullcontext():
            check_order(config, problems)
    check_order(tiny_config(trainer={"max_steps": 1}), load_problems(tiny_config().data))
