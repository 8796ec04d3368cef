"""Collapse alarm: one line when answers collapse, printed and logged, after a resume too."""

import io

import pytest
from rich.console import Console
from transformers import TrainerControl, TrainerState

from rl.config.rewards import RewardsConfig
from rl.runs.jsonl import JsonlFile, read_jsonl
from rl.tracking.collapse_alarm import CollapseAlarmCallback


@pytest.fixture
def log_file(tmp_path) -> JsonlFile:
    return JsonlFile(tmp_path / "metrics.jsonl")


def printed_lines(log_file, lengths, *, first_step=1):
    """Return what is printed while a training logs these mean lengths; `log_file` gets what is logged."""
    printed = io.StringIO()
    state = TrainerState(global_step=first_step - 1, is_world_process_zero=True)
    alarm = CollapseAlarmCallback(
        RewardsConfig(collapse_fall=0.5, collapse_window=2),
        lambda metrics: log_file.append({"step": state.global_step, **metrics}),
        log_file.path,
        Console(file=printed, width=40, no_color=True),
    )
    alarm.on_train_begin(None, state, TrainerControl())
    for state.global_step, length in enumerate(lengths, first_step):
        logs = {"completions/mean_length": length, "entropy": 1.0, "loss": 0.1}
        log_file.append({"step": state.global_step, **logs})
        alarm.on_log(None, state, TrainerControl(), logs=logs)
    return printed.getvalue().splitlines()


def test_alarm__warns_once_and_logs_it(log_file):
    # first two 20, 24: mean 22; the last two 12, 10: mean 11 has lost half
    lines = printed_lines(log_file, [20.0, 24.0, 23.0, 12.0, 10.0, 9.0])
    assert lines == ["step 5: collapse: mean_length fell from 22 to 11 (compared with the first 2 steps)"]
    (line,) = [line for line in read_jsonl(log_file.path) if "collapse" in line]
    assert line["step"] == 5 and line["collapse"] in lines[0]


def test_alarm__warns_again_after_a_recovery(log_file):
    assert len(printed_lines(log_file, [20.0, 20.0, 5.0, 5.0, 20.0, 20.0, 5.0, 5.0])) == 2


def test_alarm__compares_a_resumed_run_with_its_first_steps(log_file):
    assert printed_lines(log_file, [20.0, 20.0, 20.0]) == []
    assert len(printed_lines(log_file, [5.0, 5.0], first_step=4)) == 1


def test_alarm__ignores_lines_without_watched_metrics(log_file):
    logged = []
    alarm = CollapseAlarmCallback(RewardsConfig(), logged.append, log_file.path, Console(file=io.StringIO()))
    for _ in range(9):
        alarm.on_log(None, TrainerState(global_step=1), TrainerControl(), logs={"train_runtime": 1.0})
    assert logged == []
