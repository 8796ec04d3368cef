"""Paths in settings: absolute ones mean the same anywhere, and those in a run folder move with it."""

from pathlib import Path

import pytest

from rl.config.load import load_resumed, parse_config, resolved_yaml
from rl.config.paths import with_absolute_paths, with_moved_run

HERE = {
    "model": {"name": "model"},
    "data": {"path": "rows.jsonl", "held_out_path": "owner/rows"},
    "lora": {"start": "runs/a/adapters/default"},
    "probe": {"roles": "roles.json"},
    "rewards": {"functions": ["code/mine.py:fair"], "verifiers": {"own:rhyme": "code/mine.py:rhyme"}},
    "credit": {"rule": "code/mine.py:rule"},
    "run": {"folder": "runs/b"},
}


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model").mkdir()
    (tmp_path / "tiny").mkdir()
    (tmp_path / "rows.jsonl").touch()
    return tmp_path


def test_with_absolute_paths__every_path_becomes_absolute_and_no_name_does(here):
    config = with_absolute_paths(parse_config(HERE))
    assert (config.model.name, config.data.path) == (f"{here}/model", f"{here}/rows.jsonl")
    assert config.data.held_out_path == "owner/rows"  # on the hub: there is no such file
    assert (config.lora.start, config.probe.roles) == (here / "runs/a/adapters/default", here / "roles.json")
    assert config.rewards.functions == (f"{here}/code/mine.py:fair",)
    assert config.rewards.verifiers == {"own:rhyme": f"{here}/code/mine.py:rhyme"}
    assert (config.credit.rule, config.run.folder) == (f"{here}/code/mine.py:rule", here / "runs/b")
    assert with_absolute_paths(config) == config


def test_with_absolute_paths__a_model_of_heeds_own_is_no_folder_beside_it(here):
    assert with_absolute_paths(parse_config({"model": {"name": "tiny"}})).model.name == "tiny"


def test_with_moved_run__paths_inside_the_run_move_with_it(here):
    tree = {**HERE, "data": {"path": "runs/b/rows.jsonl"}}
    (here / "runs/b").mkdir(parents=True)
    (here / "runs/b/rows.jsonl").touch()
    moved = with_moved_run(with_absolute_paths(parse_config(tree)), here / "elsewhere")
    assert (moved.data.path, moved.run.folder) == (f"{here}/elsewhere/rows.jsonl", here / "elsewhere")
    assert moved.lora.start == here / "runs/a/adapters/default"


def test_load_resumed__takes_the_same_relative_path_as_the_same(here):
    (here / "run").mkdir()
    (here / "run" / "config.yaml").write_text(resolved_yaml(with_absolute_paths(parse_config(HERE))))
    assert load_resumed(here / "run", ["lora.start=runs/a/adapters/default"]).resume == here / "run"
    with pytest.raises(ValueError, match=r"lora.start: the run has '.*/runs/a/adapters/default', not '.*/other'"):
        load_resumed(here / "run", ["lora.start=other"])
