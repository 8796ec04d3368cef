"""The run folder: a fresh one, a used one, one that cannot be written, one without a checkpoint."""

import json
from pathlib import Path

import pytest

from rl.config.load import load_run_config
from rl.runs.folder import make_folder, next_folder, open_run
from tests.rl.grpo_fixtures import tiny_config


def test_a_fresh_run_starts_without_a_checkpoint(tmp_path):
    config = tiny_config(run={"folder": str(tmp_path / "run")}, trainer={"seed": 3})
    assert open_run(config) == (tmp_path / "run", None)
    assert load_run_config(tmp_path / "run") == config
    assert json.loads((tmp_path / "run" / "environment.json").read_text())["seed"] == 3


def test_a_run_without_a_folder_takes_the_next_free_number(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = tiny_config(run={"name": "trial"})
    assert [open_run(config)[0] for _ in range(2)] == [Path("runs/trial-1"), Path("runs/trial-2")]
    assert next_folder("other") == Path("runs/other-1")


def test_a_used_folder_is_not_written_again(tmp_path):
    config = tiny_config(run={"folder": str(tmp_path / "run")})
    open_run(config)
    with pytest.raises(ValueError, match="already holds a run: choose another, or continue it with heed resume "):
        open_run(config)


def test_a_folder_that_cannot_be_written_is_said_so(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match=r"run\.folder=.*cannot be written: Not a directory; choose another"):
        make_folder(tmp_path / "file" / "run")


def test_the_check_of_a_folder_leaves_nothing(tmp_path):
    make_folder(tmp_path / "run")
    assert list((tmp_path / "run").iterdir()) == []


def test_a_run_without_a_checkpoint_cannot_be_resumed(tmp_path):
    fresh = tiny_config(run={"folder": str(tmp_path / "run")})
    open_run(fresh)
    with pytest.raises(ValueError, match=r"resume=.*run: no complete checkpoint \(it holds none\)"):
        open_run(fresh.model_copy(update={"resume": tmp_path / "run"}))
