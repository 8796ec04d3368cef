"""The collapse watch: one line when answers collapse, in print and in the journal, and after a resume too."""

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


def faithfulness_monitor(log_file, lengths, *, first_step=1):
    """What is printed while a training logs these mean lengths, as the metrics' callback does."""
    printed = io.StringIO()
    watching = CollapseAlarmCallback(
        RewardsConfig(collapse_fall=0.5, collapse_window=2), log_file, Console(file=printed, width=200, no_color=True)
    )
    state = TrainerState(global_step=first_step - 1, is_world_process_zero=True)
    watching.on_train_begin(None, state, TrainerControl())
    for step, length in enumerate(lengths, first_step):
        logs = {"completions/mean_length": length, "entropy": 1.0, "loss": 0.1}
        log_file.append({"step": step, **logs})
        watching.on_log(None, TrainerState(global_step=step, is_world_process_zero=True), TrainerControl(), logs=logs)
    return printed.getvalue().splitlines()


def test_a_collapse_is_said_once_and_logged(log_file):
    # first two 20, 24: mean 22; the last two 12, 10: mean 11 has lost half
    lines = faithfulness_monitor(log_file, [20.0, 24.0, 23.0, 12.0, 10.0, 9.0])
    assert lines == ["step 5: collapse: mean_length fell from 22 to 11 (compared with the first 2 steps)"]
    (line,) = [line for line in read_jsonl(log_file.path) if "collapse" in line]
    assert line["step"] == 5 and line["collapse"] in lines[0]


def test_a_recovery_and_a_second_collapse_are_two_lines(log_file):
    assert len(faithfulness_monitor(log_file, [20.0, 20.0, 5.0, 5.0, 20.0, 20.0, 5.0, 5.0])) == 2


def test_a_resumed_run_is_compared_with_its_beginning(log_file):
    assert faithfulness_monitor(log_file, [20.0, 20.0, 20.0]) == []
    assert len(faithfulness_monitor(log_file, [5.0, 5.0], first_step=4)) == 1


def test_steps_that_log_nothing_of_it_are_no_beginning(log_file):
    watching = CollapseAlarmCallback(RewardsConfig(), log_file, Console(file=io.StringIO()))
    for _ in range(9):
        watching.on_log(None, TrainerState(global_step=1), TrainerControl(), logs={"train_runtime": 1.0})
    assert not log_file.path.exists()
