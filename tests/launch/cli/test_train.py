"""`heed train` and `heed resume`: which settings reach the training, and what is printed of its result."""

import json
import os
import signal
from pathlib import Path

import pytest

from launch.recipes import load_recipe
from rl.common.atomic import write_text
from rl.config.load import resolved_yaml
from rl.config.root import Config
from rl.runs.checkpoint import mark_complete
from rl.runs.signals import UNFINISHED


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run folder that holds its settings alone."""
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "config.yaml").write_text(resolved_yaml(load_recipe("tiny", [f"run.folder={folder}", "lora.r=4"])))
    return folder


def test_dry_run__prints_a_recipe_that_gives_the_same_config(heed, tmp_path, capsys):
    assert heed("train", "tiny", "trainer.learning_rate=1e-5", "--dry-run") == 0
    printed = capsys.readouterr().out
    (tmp_path / "again.yaml").write_text(printed, encoding="utf-8")
    assert heed("train", str(tmp_path / "again.yaml"), "--dry-run") == 0
    assert capsys.readouterr().out == printed
    assert "learning_rate: 1.0e-05" in printed


def test_dry_run__as_json_is_the_config(heed, capsys):
    assert heed("train", "tiny", "lora.r=4", "--dry-run", "--json") == 0
    assert Config.model_validate_json(capsys.readouterr().out).lora.r == 4


def test_dry_run__names_a_tracker_that_is_not_installed(heed, monkeypatch, capsys):
    monkeypatch.setattr("rl.tracking.installed.find_spec", lambda name: None)
    assert heed("train", "tiny", "tracking.report_to=[trackio]", "--dry-run") == 2
    assert "tracking.report_to names trackio, which is not installed" in capsys.readouterr().err


def test_or_resume__only_the_first_rank_of_a_real_start_moves_an_unfinished_run_aside(
    heed, run, train_with, monkeypatch
):
    train_with(lambda config: run)
    command = ("train", "tiny", f"run.folder={run}", "--or-resume")
    assert heed(*command, "--dry-run") == 0
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    heed(*command)
    assert (run / "config.yaml").exists()
    monkeypatch.setenv("RANK", "0")
    heed(*command)
    assert not run.exists() and run.with_name("run.unfinished-1").exists()


def test_dry_run__with_or_resume_prints_the_resumed_settings_or_refuses(heed, run, capsys):
    write_text(run / "checkpoint-2" / "optimizer.pt", "state")
    mark_complete(run / "checkpoint-2")
    command = ("train", "tiny", f"run.folder={run}", "--or-resume", "--dry-run", "--json")
    assert heed(*command, "lora.r=4", "trainer.max_steps=9") == 0
    printed = json.loads(capsys.readouterr().out)
    assert (printed["resume"], printed["trainer"]["max_steps"]) == (str(run), 9)
    assert heed(*command, "lora.r=8") == 2
    assert "lora.r: the run has 4, not 8" in capsys.readouterr().err


def test_train__gets_the_resolved_config_and_json_has_stdout_alone(heed, tmp_path, capsys, train_with):
    def body(config: Config) -> Path:
        print(f"step of {config.trainer.max_steps}")
        (tmp_path / "summary.json").write_text('{"steps": 3}', encoding="utf-8")
        return tmp_path

    train_with(body)
    assert heed("train", "tiny", "trainer.max_steps=3", "--json") == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out) == {"run": str(tmp_path), "summary": {"steps": 3}}
    assert shown.err == "step of 3\n"


def test_train__a_run_that_is_saved_and_not_finished_has_an_exit_code_of_its_own(heed, tmp_path, capsys, train_with):
    train_with(lambda config: tmp_path)
    assert heed("train", "tiny", "--json") == UNFINISHED
    assert json.loads(capsys.readouterr().out) == {"run": str(tmp_path), "summary": None}


def test_train__sigterm_outside_the_steps_leaves_a_run_to_be_started_again(heed, tmp_path, train_with):
    def body(config: Config) -> Path:
        os.kill(os.getpid(), signal.SIGTERM)
        raise AssertionError("the model would have been loaded")

    train_with(body)
    before = signal.getsignal(signal.SIGTERM)
    assert heed("train", "tiny") == 75
    assert signal.getsignal(signal.SIGTERM) == before


def test_train__of_several_ranks_the_first_prints_the_result(heed, tmp_path, capsys, train_with, monkeypatch):
    (tmp_path / "summary.json").write_text("{}", encoding="utf-8")
    train_with(lambda config: tmp_path)
    monkeypatch.setenv("RANK", "1")
    assert heed("train", "tiny", "--json") == 0
    assert capsys.readouterr().out == ""


def test_resume__continues_with_the_settings_of_the_run(heed, run, train_with):
    received = []

    def body(config: Config) -> Path:
        received.append(config)
        return run

    train_with(body)
    assert heed("resume", str(run), "trainer.max_steps=9") == UNFINISHED
    (config,) = received
    assert (config.resume, config.lora.r, config.trainer.max_steps) == (run, 4, 9)


def test_resume__is_train_with_the_run_named_twice(heed, run, capsys):
    assert heed("train", f"{run}/config.yaml", f"resume={run}", "--dry-run") == 0
    by_train = capsys.readouterr().out
    assert heed("resume", str(run), "--dry-run") == 0
    assert capsys.readouterr().out == by_train


def test_resume__takes_a_folder_whose_name_is_a_number(heed, run, monkeypatch, capsys):
    run.rename(run.with_name("7"))
    monkeypatch.chdir(run.parent)
    assert heed("resume", "7", "--dry-run", "--json") == 0
    assert json.loads(capsys.readouterr().out)["resume"] == "7"


def test_resume__refuses_what_a_resume_may_not_change(heed, run, capsys):
    assert heed("resume", str(run), "lora.r=8") == 2
    assert "lora.r: the run has 4, not 8" in capsys.readouterr().err


def test_resume__of_no_run_is_one_sentence(heed, tmp_path, capsys):
    assert heed("resume", str(tmp_path / "absent")) == 2
    assert capsys.readouterr().err == f"heed: {tmp_path}/absent is not a run folder: it has no config.yaml\n"


@pytest.mark.parametrize("command", ["train", "resume"])
def test_accept_changed_code__sets_the_setting(heed, run, capsys, command):
    target = str(run) if command == "resume" else "tiny"
    assert heed(command, target, "--accept-changed-code", "--dry-run", "--json") == 0
    assert json.loads(capsys.readouterr().out)["run"]["accept_changed_code"] is True


def test_export__writes_only_with_only_or_merge(heed, run, capsys):
    assert heed("export", str(run), "-o", "elsewhere") == 2
    assert "--output elsewhere goes with --only or --merge" in capsys.readouterr().err
