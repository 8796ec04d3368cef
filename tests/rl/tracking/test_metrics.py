"""Metrics: one path from whatever measures to `metrics.jsonl` and to every tracker."""

import sys
from pathlib import Path
from typing import Any

import pytest
from torch.nn import Linear
from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from rl.common.errors import UserError
from rl.config.root import Config
from rl.config.run import TrackingConfig
from rl.runs.jsonl import JsonlFile, read_jsonl
from rl.tracking.installed import check_trackers
from rl.tracking.metrics import MetricsCallback, log_metrics, start_trackers, trl_trackers


def logged_lines(folder: Path, state: TrainerState, logs: dict[str, float]) -> list[dict[str, Any]]:
    """Hand the metrics to the callback as the trainer does, and return the file's lines."""
    arguments = TrainingArguments(output_dir=str(folder), report_to="none", use_cpu=True)
    path = folder / "metrics.jsonl"
    MetricsCallback(JsonlFile(path)).on_log(arguments, state, TrainerControl(), logs=logs)
    return read_jsonl(path)


def test_metrics_callback__writes_a_line_with_its_step(tmp_path):
    logged_lines(tmp_path, TrainerState(global_step=3), {"reward": 0.5, "credit/gini": 0.1})
    lines = logged_lines(tmp_path, TrainerState(global_step=4), {})
    assert lines == [{"step": 3, "reward": 0.5, "credit/gini": 0.1}]


def test_metrics_callback__writes_the_names_that_trackers_show(tmp_path):
    lines = logged_lines(tmp_path, TrainerState(global_step=3), {"eval_pass_rate": 0.5})
    assert lines == [{"step": 3, "eval/pass_rate": 0.5}]


def test_metrics_callback__only_the_first_rank_writes(tmp_path):
    assert logged_lines(tmp_path, TrainerState(global_step=3, is_world_process_zero=False), {"reward": 0.5}) == []


class RecordingTracker(TrainerCallback):
    """A tracker, as transformers' own are: it shows what `on_log` hands it."""

    def __init__(self):
        self.shown: list[tuple[int, dict[str, Any]]] = []

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        self.shown.append((state.global_step, dict(logs)))


@pytest.mark.parametrize("is_due", [True, False])
def test_log_metrics__reaches_trackers_and_leaves_the_steps_own_line_due(is_due, tmp_path):
    tracker = RecordingTracker()
    arguments = TrainingArguments(output_dir=str(tmp_path), report_to="none", use_cpu=True)
    trainer = Trainer(model=Linear(1, 1), args=arguments, callbacks=[tracker])
    trainer.state.global_step, trainer.control.should_log = 7, is_due
    log_metrics(trainer, {"eval_pass_rate": 0.5, "collapse": "collapse: entropy fell"})
    assert tracker.shown == [(7, {"eval_pass_rate": 0.5, "collapse": "collapse: entropy fell"})]
    assert trainer.control.should_log is is_due


def test_trackers__wandb_is_started_here_and_the_others_by_trl(tmp_path):
    both = Config(tracking=TrackingConfig(report_to=("wandb", "tensorboard")))
    (tracker,) = start_trackers(both, tmp_path)
    tracker.finish()
    assert trl_trackers(both.tracking) == ["tensorboard"]
    assert start_trackers(Config(), tmp_path) == []
    assert trl_trackers(TrackingConfig()) == []


def test_check_trackers__names_a_package_that_is_not_installed(monkeypatch):
    monkeypatch.setattr("rl.tracking.installed.find_spec", lambda name: None)
    monkeypatch.delitem(sys.modules, "trackio", raising=False)
    check_trackers(TrackingConfig())
    with pytest.raises(UserError, match="names trackio, which is not installed; pip install trackio, or leave it out"):
        check_trackers(TrackingConfig(report_to=("trackio",)))
