"""A run from end to end: what its folder holds, and that it can be stopped and continued."""

import json
import shlex
import shutil
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from rl.common.errors import UserError
from rl.config.load import load_resumed, load_run_config
from rl.runs.folder import open_run
from rl.runs.jsonl import read_jsonl
from rl.train import train
from tests.rl.grpo_fixtures import CTRL_C_IN_STEP, recipe_config

CLOCK = {"step_time", "train_runtime", "train_samples_per_second", "train_steps_per_second"}


def read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def without_clock(path: Path) -> list[dict[str, Any]]:
    lines = read_jsonl(path)
    return [{key: line[key] for key in line if key not in CLOCK and not key.endswith("_seconds")} for line in lines]


def adapter_bytes(run: Path) -> bytes:
    return (run / "adapters" / "default" / "adapter_model.safetensors").read_bytes()


def test_run_folder__has_settings_and_environment(finished_run):
    assert load_run_config(finished_run.folder) == recipe_config(finished_run.folder)
    environment = read_json(finished_run.folder / "environment.json")
    assert environment["seed"] == 0
    assert {"torch", "trl", "transformers", "peft"} <= environment["packages"].keys()


def test_metrics__have_every_step(finished_run):
    steps = [line for line in read_jsonl(finished_run.folder / "metrics.jsonl") if "loss" in line]
    assert [line["step"] for line in steps] == [1, 2, 3, 4]
    for line in steps:
        assert {"reward", "grad_norm", "credit/gini", "probe/fai_mean", "probe/waad_mean"} <= line.keys()
        assert any(name.startswith("constraint/") and name.endswith("/pass_rate") for name in line)


def test_rollouts__have_best_and_worst_of_each_group(finished_run):
    records = read_jsonl(finished_run.folder / "rollouts.jsonl")
    # 8 completions a step are 2 groups of 4
    assert [record["step"] for record in records] == [step for step in (1, 2, 3, 4) for _ in range(4)]
    for _, group in groupby(records, key=lambda record: (record["step"], record["problem_id"])):
        best, worst = group
        assert (best["which"], worst["which"]) == ("best", "worst")
        assert best["reward"] > worst["reward"]
        assert best["advantage"] > worst["advantage"]


def test_rollouts__have_weights_and_verdicts(finished_run):
    records = read_jsonl(finished_run.folder / "rollouts.jsonl")
    assert any(verdict["evidence"] for record in records for verdict in record["verdicts"])
    for record in records:
        assert record["verdicts"]
        assert len(record["weights"]) == len(record["completion_ids"])
        assert sum(record["weights"]) / len(record["weights"]) == pytest.approx(1.0, abs=1e-4)
        for verdict in record["verdicts"]:
            assert verdict["spans"] and all(record["prompt"][start:end] for start, end in verdict["spans"])
            assert all(0 <= start < end <= len(record["completion"]) for start, end in verdict["evidence"])


def test_summary__is_what_was_measured(finished_run):
    summary = read_json(finished_run.folder / "summary.json")
    assert summary["steps"] == 4
    assert summary["gain"]["num_problems"] == 8
    assert summary["gain"]["mean"] == pytest.approx(summary["after"]["pass_rate"] - summary["before"]["pass_rate"])
    assert len(read_json(finished_run.folder / "before.json")["answers"]) == 8
    assert len(read_json(finished_run.folder / "after.json")["answers"]) == 8


def test_adapter__names_its_base_model_and_has_a_card(finished_run):
    adapter = finished_run.folder / "adapters" / "default"
    assert read_json(adapter / "adapter_config.json")["base_model_name_or_path"] == "tiny"
    card = (adapter / "README.md").read_text(encoding="utf-8")
    assert card.startswith("---\nbase_model: tiny\n")
    assert "credit rule `global_anchor`" in card


def test_cards__are_those_of_the_adapters_only(finished_run):
    cards = sorted(finished_run.folder.rglob("README.md"))
    assert cards == [finished_run.folder / "adapters" / "default" / "README.md"]


def test_console__shows_the_result(finished_run):
    for shown in ("Held-out constraints satisfied", "95 % interval", "base model", "Credit of one completion"):
        assert shown in finished_run.printed
    assert "Verify it with: heed export" in finished_run.printed


def test_run_folder__has_no_unfinished_file(finished_run):
    assert not [path for path in finished_run.folder.rglob("*") if path.name.endswith(".tmp")]


def test_resume__of_a_finished_run_changes_nothing(finished_run, tmp_path):
    # as after a kill between the last checkpoint and the adapter
    run = tmp_path / "run"
    shutil.copytree(finished_run.folder, run)
    shutil.rmtree(run / "adapters")
    (run / "summary.json").unlink()
    train(load_resumed(run))
    assert adapter_bytes(run) == adapter_bytes(finished_run.folder)
    assert read_json(run / "summary.json")["gain"] == read_json(finished_run.folder / "summary.json")["gain"]
    assert read_jsonl(run / "rollouts.jsonl") == read_jsonl(finished_run.folder / "rollouts.jsonl")


def test_ctrl_c__saves_the_step_and_prints_the_command_that_continues(finished_run, tmp_path, monkeypatch, capsys):
    run = tmp_path / "run"
    monkeypatch.setenv(CTRL_C_IN_STEP, "3")
    train(recipe_config(run))
    monkeypatch.delenv(CTRL_C_IN_STEP)
    assert (run / "checkpoint-3" / "complete.json").is_file()
    assert not (run / "adapters").exists()
    assert not (run / "summary.json").exists()
    # what is printed is what works
    printed = " ".join(capsys.readouterr().out.split())
    _, _, command = printed.partition("Continue with: heed resume ")
    train(load_resumed(Path(*shlex.split(command))))
    assert adapter_bytes(run) == adapter_bytes(finished_run.folder)
    for log_file in ("metrics.jsonl", "rollouts.jsonl"):
        resumed = [line for line in without_clock(run / log_file) if "train_loss" not in line]
        assert resumed == [line for line in without_clock(finished_run.folder / log_file) if "train_loss" not in line]


def test_resume__removes_what_came_after_the_checkpoint(finished_run, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(finished_run.folder, run)
    (run / "checkpoint-4" / "complete.json").unlink()
    with open_run(load_resumed(run)) as opened:
        assert opened == (run, run / "checkpoint-2")
    for log_file in ("metrics.jsonl", "rollouts.jsonl"):
        assert max(line["step"] for line in read_jsonl(run / log_file)) == 2


def test_resume__with_a_changed_reward_function_must_be_accepted(finished_run, tmp_path, caplog):
    run = tmp_path / "run"
    shutil.copytree(finished_run.folder, run)
    [copy] = (run / "custom").iterdir()
    copy.write_text("# the file that the run was started with\n" + copy.read_text())
    (run / "summary.json").unlink()
    with pytest.raises(UserError, match=r"rewards\.functions: .*grpo_fixtures\.py has changed since the run"):
        train(load_resumed(run))
    assert not (run / "summary.json").exists()
    train(load_resumed(run, ["run.accept_changed_code=true"]))
    assert (run / "summary.json").exists()
    assert caplog.text.count("the run goes on with the new code") == 1
    assert len(list((run / "custom").iterdir())) == 2
