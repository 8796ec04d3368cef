"""Run folder: fresh ones, used ones, and those that cannot be written or resumed."""

import json
import os
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from rl.config.load import load_run_config
from rl.config.run import RunConfig
from rl.runs.folder import claim_folder, next_folder, open_run
from rl.runs.jsonl import JsonlFile
from rl.runs.lock import LOCK
from tests.rl.grpo_fixtures import tiny_config


def test_open_run__a_fresh_run_has_no_checkpoint(tmp_path):
    config = tiny_config(run={"folder": str(tmp_path / "run")}, trainer={"seed": 3})
    with open_run(config) as opened:
        assert opened == (tmp_path / "run", None)
    assert load_run_config(tmp_path / "run") == config
    assert json.loads((tmp_path / "run" / "environment.json").read_text())["seed"] == 3


def test_open_run__without_a_folder_takes_the_next_number(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = tiny_config(run={"name": "trial"})
    with open_run(config) as (first, _), open_run(config) as (second, _):
        assert [first, second] == [Path("runs/trial-1"), Path("runs/trial-2")]


def test_next_folder__starts_at_the_same_moment_get_different_folders(tmp_path):
    with ThreadPoolExecutor(8) as starts:
        folders = list(starts.map(lambda _: next_folder(tmp_path, "run"), range(40)))
    assert {folder.name for folder in folders} == {f"run-{number}" for number in range(1, 41)}


@pytest.mark.parametrize("used", ["checkpoint-2", "round-1"])
def test_open_run__refuses_a_used_folder(tmp_path, used):
    config = tiny_config(run={"folder": str(tmp_path / "run")})
    with open_run(config):
        (tmp_path / "run" / used).mkdir()
    refused = pytest.raises(ValueError, match="already holds a run: choose another, or continue it with heed resume ")
    with refused, open_run(config):
        pass


def test_open_run__refuses_a_folder_with_trained_steps(tmp_path):
    config = tiny_config(run={"folder": str(tmp_path / "run")})
    with open_run(config):
        JsonlFile(tmp_path / "run" / "metrics.jsonl").append({"step": 1, "loss": 0.5})
    with pytest.raises(ValueError, match="already holds a run"), open_run(config):
        pass


def test_open_run__sets_a_start_that_failed_before_its_first_step_aside(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")
    with open_run(tiny_config(run={"folder": str(folder)}, model={"name": "tinny"})):
        (folder / "before.json").write_text("{}")
        (folder / "ledger.sqlite").write_text("")
        (folder / "metrics.jsonl").touch()
    config = tiny_config(run={"folder": str(folder)})
    with open_run(config) as opened:
        assert opened == (folder, None)
    assert load_run_config(folder) == config
    assert sorted(path.name for path in folder.iterdir()) == [
        "config.yaml",
        "custom",
        "environment.json",
        "inputs.json",
        "notes.txt",
    ]
    aside = sorted(path.name for path in (tmp_path / "run.unfinished-1").iterdir())
    assert aside == [
        "before.json",
        "config.yaml",
        "custom",
        "environment.json",
        "inputs.json",
        "ledger.sqlite",
        "metrics.jsonl",
    ]


@pytest.mark.parametrize("name", ["checkpoint-7", "adapters", "round-1", "metrics.jsonl", "ledger-1.sqlite", "custom"])
def test_open_run__refuses_a_folder_with_what_it_would_replace(name, tmp_path):
    (tmp_path / name).mkdir()
    config = tiny_config(run={"folder": str(tmp_path)})
    refused = pytest.raises(ValueError, match=f"holds {name}, which the run would replace or add to; choose another")
    with refused, open_run(config):
        pass
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_make_folder__refuses_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match=r"run\.folder=.*cannot be written: Not a directory; choose another"):
        claim_folder(RunConfig(folder=tmp_path / "file" / "run"))


def test_make_folder__leaves_nothing_in_it(tmp_path):
    claim_folder(RunConfig(folder=tmp_path / "run"))
    assert list((tmp_path / "run").iterdir()) == []


def test_open_run__refuses_to_resume_without_a_checkpoint(tmp_path):
    fresh = tiny_config(run={"folder": str(tmp_path / "run")})
    with open_run(fresh):
        pass
    refused = pytest.raises(ValueError, match=r"resume=.*run: no complete checkpoint \(it holds none\)")
    with refused, open_run(fresh.model_copy(update={"resume": tmp_path / "run"})):
        pass


@pytest.mark.parametrize("change", [{}, {"resume": "run"}])
def test_a_folder_in_use_is_neither_started_nor_resumed(tmp_path, change):
    config = tiny_config(run={"folder": str(tmp_path / "run")})
    again = config.model_copy(update={"resume": tmp_path / "run"} if change else {})
    refused = pytest.raises(ValueError, match=rf"run is in use by process {os.getpid()} on {socket.gethostname()}: ")
    with open_run(config), refused, open_run(again):
        pass
    assert not (tmp_path / "run" / LOCK).exists()
