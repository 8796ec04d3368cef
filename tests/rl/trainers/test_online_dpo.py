"""Online DPO: each round samples from the adapter of the round before, on problems of its own."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from data.problems import user_text
from launch.recipes import load_recipe
from rl.config.data import DataConfig
from rl.config.load import load_run_config, parse_config
from rl.config.root import Config
from rl.datasets import load_pairs, load_problems
from rl.train import train
from rl.trainers.online_dpo import round_problems
from tests.rl.dpo_fixtures import tiny_dpo_config

ROUNDS = 2


def rounds_config(folder: Path, **sections) -> Config:
    tree = tiny_dpo_config(Path("unused")).model_dump(mode="json")
    tree |= {
        "data": {
            "num_problems": 8,
            "held_out": 3,
            "kinds": ["change_case:english_lowercase"],
        },
        "pairs": {"rounds": ROUNDS, "samples": 8},
        "run": {"folder": str(folder)},
    }
    return parse_config({**tree, **{name: {**tree[name], **changes} for name, changes in sections.items()}})


def adapter_of(run: Path) -> dict[str, torch.Tensor]:
    return load_file(run / "adapters" / "default" / "adapter_model.safetensors")


def equal(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    assert first
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    return train(rounds_config(tmp_path_factory.mktemp("rounds") / "run"))


def test_rounds__each_starts_from_the_adapter_before(run):
    first, second = run / "round-1", run / "round-2"
    assert load_run_config(first).lora.start is None
    assert load_run_config(second).lora.start == first / "adapters" / "default"
    assert not equal(adapter_of(first), adapter_of(second))
    assert equal(adapter_of(run), adapter_of(second))


def test_rounds__have_other_problems_and_the_same_held_out_ones(run):
    asked = [
        {user_text(pair.problem) for pair in load_pairs(load_run_config(run / f"round-{number}").data).train}
        for number in (1, 2)
    ]
    assert asked[0] and asked[1] and not asked[0] & asked[1]
    assert (run / "round-1" / "before.json").read_text() == (run / "round-2" / "before.json").read_text()
    summary = json.loads((run / "summary.json").read_text())
    assert [one["after"] for one in summary["rounds"]][-1] == summary["after"]
    assert summary["gain"]["num_problems"] == 3


def test_resume__continues_with_the_missing_round(run, tmp_path):
    resumed = tmp_path / "run"
    shutil.copytree(run, resumed)
    shutil.rmtree(resumed / "round-2")
    shutil.rmtree(resumed / "adapters")
    config = (resumed / "config.yaml").read_text().replace(str(run), str(resumed))
    (resumed / "config.yaml").write_text(config)
    train(load_recipe(str(resumed / "config.yaml"), [f"resume={resumed}"]))
    assert equal(adapter_of(resumed), adapter_of(run))


def test_round_problems__share_all_problems_out():
    problems = load_problems(DataConfig(num_problems=7)).train
    shares = [round_problems(problems, number, 3) for number in (1, 2, 3)]
    assert [len(share) for share in shares] == [2, 2, 3]
    assert (*shares[0], *shares[1], *shares[2]) == problems
    with pytest.raises(ValueError, match="rounds=3 needs at least as many problems"):
        round_problems(problems[:2], 1, 3)


def test_write_pairs__refuses_answers_without_a_gap(tmp_path):
    # one answer to a problem has no other to differ from
    with pytest.raises(ValueError, match=r"round 1: no two of pairs.samples=1 "):
        train(rounds_config(tmp_path / "run", pairs={"samples": 1}, data={"num_problems": 2}))


def test_config__dpo_needs_pairs_or_rounds(tmp_path):
    with pytest.raises(ValueError, match=r"pairs\.rounds to make them"):
        rounds_config(tmp_path, pairs={"rounds": 0})


@pytest.mark.parametrize(("changes", "message"), [({"r": 8}, r"lora.r=4, got 8"), ({"alpha": 4}, r"lora.alpha=8")])
def test_start_adapter__of_another_shape_is_refused(changes, message, run, tmp_path):
    start = {"start": str(run / "adapters" / "default")}
    with pytest.raises(ValueError, match=message):
        train(rounds_config(tmp_path / "run", lora=start | changes, data={"num_problems": 2, "held_out": 0}))
