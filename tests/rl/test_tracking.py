"""Tracking: what the trainer logs becomes lines of the journal, and wandb needs no key."""

import os
from pathlib import Path

import pytest
from transformers import TrainerControl, TrainerState, TrainingArguments

from rl.config import Tracking
from rl.journal import Journal, read_journal
from rl.tracking import MetricsCallback, prepare_trackers


def log(folder: Path, state: TrainerState, logs: dict[str, float]) -> None:
    """Hand the figures to the callback as the trainer does."""
    arguments = TrainingArguments(output_dir=str(folder), report_to="none", use_cpu=True)
    MetricsCallback(Journal(folder / "metrics.jsonl")).on_log(arguments, state, TrainerControl(), logs=logs)


def test_figures_are_written_with_their_step(tmp_path):
    log(tmp_path, TrainerState(global_step=3), {"reward": 0.5, "credit/gini": 0.1})
    log(tmp_path, TrainerState(global_step=4), {})
    assert read_journal(tmp_path / "metrics.jsonl") == [{"step": 3, "reward": 0.5, "credit/gini": 0.1}]


def test_only_the_first_rank_writes(tmp_path):
    log(tmp_path, TrainerState(global_step=3, is_world_process_zero=False), {"reward": 0.5})
    assert read_journal(tmp_path / "metrics.jsonl") == []


@pytest.mark.parametrize(
    ("key", "chosen", "expected"), [(None, None, "offline"), ("k", None, None), (None, "online", "online")]
)
def test_wandb_is_offline_without_a_key_unless_chosen_otherwise(key, chosen, expected, monkeypatch):
    for name, value in (("WANDB_API_KEY", key), ("WANDB_MODE", chosen), ("WANDB_PROJECT", None)):
        monkeypatch.delenv(name, raising=False) if value is None else monkeypatch.setenv(name, value)
    # so that monkeypatch also takes back what is set now
    monkeypatch.setattr(os, "environ", os.environ.copy())
    prepare_trackers(Tracking(report_to=("wandb",), project="trial"))
    assert os.environ.get("WANDB_MODE") == expected
    assert os.environ["WANDB_PROJECT"] == "trial"


def test_other_trackers_leave_wandb_alone(monkeypatch):
    monkeypatch.setattr(os, "environ", {})
    prepare_trackers(Tracking(report_to=("tensorboard",)))
    assert os.environ == {}
