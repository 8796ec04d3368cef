"""Standstill alarm: one line when no group differs in reward for many steps, after a resume too."""

import io

import pytest
from rich.console import Console
from transformers import TrainerControl, TrainerState

from rl.runs.jsonl import JsonlFile, read_jsonl
from rl.tracking.standstill_alarm import StandstillAlarm


@pytest.fixture
def log_file(tmp_path) -> JsonlFile:
    return JsonlFile(tmp_path / "metrics.jsonl")


def warned_steps(log_file, shares, *, first_step=1, every=1) -> list[int]:
    """Return the steps at which the alarm goes off; a share of None is a line without the metric."""
    printed = io.StringIO()
    state = TrainerState(global_step=first_step - 1, is_world_process_zero=True)
    alarm = StandstillAlarm(
        3,
        lambda metrics: log_file.append({"step": state.global_step, **metrics}),
        log_file.path,
        Console(file=printed, width=40, no_color=True),
    )
    alarm.on_train_begin(None, state, TrainerControl())
    for number, share in enumerate(shares):
        state.global_step = first_step - 1 + (number + 1) * every
        logs = {"loss": 0.0} if share is None else {"loss": 0.0, "frac_reward_zero_std": share}
        log_file.append({"step": state.global_step, **logs})
        alarm.on_log(None, state, TrainerControl(), logs=logs)
    lines = printed.getvalue().splitlines()
    logged = [line for line in read_jsonl(log_file.path) if "standstill" in line and line["step"] >= first_step]
    assert lines == [f"step {line['step']}: {line['standstill']}" for line in logged]
    assert all("earned as much as the others of its group" in line for line in lines)
    return [line["step"] for line in logged]


@pytest.mark.parametrize(
    ("shares", "expected"),
    [
        ([0.5, 1.0, 1.0, 1.0, 1.0, 1.0], [4]),  # steps 2, 3 and 4; and not again at 5 and 6
        ([1.0, 1.0, 1.0], [3]),
        ([1.0, 1.0, 0.75, 1.0, 1.0], []),
        ([1.0, 1.0, 1.0, 0.0, 1.0, 1.0, 1.0], [3, 7]),
        ([1.0, None, None, None, 1.0], [5]),  # a batch that lasts several steps is logged at its first
        ([None] * 9, []),  # as in DPO
    ],
)
def test_alarm__warns_once_in_each_standstill(log_file, shares, expected):
    assert warned_steps(log_file, shares) == expected


def test_alarm__counts_steps_and_not_lines(log_file):
    # means over two steps: at line 2 the last four have taught nothing
    assert warned_steps(log_file, [1.0, 1.0, 1.0], every=2) == [4]


def test_alarm__goes_on_where_a_run_is_resumed(log_file):
    assert warned_steps(log_file, [0.0, 1.0, 1.0]) == []
    assert warned_steps(log_file, [1.0, 1.0], first_step=4) == [4]
    assert warned_steps(log_file, [1.0, 1.0], first_step=6) == []
