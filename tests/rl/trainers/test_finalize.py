"""Finalizing: what a run leaves when its last evaluation fails, or has nothing to measure."""

import json
from pathlib import Path

import pytest
from safetensors.torch import load_file

import rl.trainers.finalize as finalize
from data.problems import ConstraintSpec, Problem, to_row
from data.writing import write_rows
from rl.common.errors import RunFailure
from rl.evaluation.command import evaluate_command
from rl.train import train
from tests.rl.dpo_fixtures import tiny_dpo_config, write_pairs
from tests.rl.grpo_fixtures import tiny_config

ONE_STEP = {"max_steps": 1, "gradient_accumulation_steps": 1, "beta": 0.0}


def test_finalize__a_failing_evaluation_leaves_the_adapter(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError("the judge is away")

    monkeypatch.setattr(finalize, "evaluate_policy", fail)
    run = tmp_path / "run"
    config = tiny_config(trainer=ONE_STEP, data={"num_problems": 8, "held_out": 2}, run={"folder": str(run)})
    with pytest.raises(RunFailure, match=r"the judge is away\nThe adapter is saved; score it with: heed eval \S+/run"):
        train(config)
    monkeypatch.undo()
    adapter = run / "adapters" / "default"
    assert load_file(adapter / "adapter_model.safetensors")
    assert "**Held-out result.** Not evaluated." in (adapter / "README.md").read_text()
    assert not (run / "summary.json").exists()  # so that a resume evaluates again
    assert evaluate_command(str(run), None)["gain"]["num_problems"] == 2


def test_finalize__verdicts_that_are_all_none_end_in_a_report(tmp_path, capsys):
    rows = [to_row(sea(number)) for number in range(4)]
    config = tiny_config(
        trainer=ONE_STEP,
        data={"path": str(write_rows(rows, tmp_path / "rows.jsonl")), "held_out": 2},
        rewards={"verifiers": {"own:never": f"{write_never(tmp_path)}:never"}},
        run={"folder": str(tmp_path / "run")},
    )
    run = train(config)
    summary = json.loads((run / "summary.json").read_text())
    assert summary["before"]["pass_rate"] is None and summary["after"]["all_satisfied"] is None
    assert "gain" not in summary
    assert "no gain to measure" in capsys.readouterr().out
    assert "No constraint of the held-out problems applied" in (run / "adapters" / "default" / "README.md").read_text()
    assert (run / "report.html").is_file()


def sea(number: int) -> Problem:
    rule = ConstraintSpec(id="own:never", kwargs={}, text="Never apply.")
    message = {"role": "user", "content": f"Describe sea {number}. Never apply."}
    return Problem(problem_id=f"sea-{number}", messages=(message,), constraints=(rule,))


def write_never(folder: Path) -> Path:
    path = folder / "never.py"
    path.write_text(
        "from rewards.verdict import Verdict\n\n\n"
        "def never(completion, *, prompt):\n    return Verdict(satisfied=None, margin=0.0, evidence=())\n"
    )
    return path


def test_finalize__fewer_steps_than_asked_for_are_no_success(tmp_path):
    # 6 pairs are left to train on, and a batch takes 8
    config = tiny_dpo_config(
        write_pairs(tmp_path),
        trainer={"per_device_train_batch_size": 8},
        trl={"dataloader_drop_last": True},
        run={"folder": str(tmp_path / "run")},
    )
    with pytest.raises(RunFailure, match=r"ended after 0 of trainer\.max_steps=3 steps"):
        train(config)
