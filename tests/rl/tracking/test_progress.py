"""Progress: what the bar shows on a terminal, and which lines a log file gets."""

import io
import re
import subprocess
import sys
from contextlib import redirect_stdout
from types import SimpleNamespace

import pytest
from rich.console import Console
from transformers import TrainerControl, TrainerState

from rl.tracking.observers import Observers
from rl.tracking.progress import ProgressCallback, announce
from rl.train import train
from tests.rl.dpo_fixtures import tiny_dpo_config, write_pairs
from tests.rl.grpo_fixtures import tiny_config

CONTROL = TrainerControl()


@pytest.fixture
def terminal() -> Console:
    return Console(record=True, width=160, force_terminal=True)


@pytest.fixture
def log_file() -> Console:
    return Console(file=io.StringIO(), record=True, width=20)


def make_state(step: int, *, max_steps: int = 20, **changes) -> TrainerState:
    return TrainerState(global_step=step, max_steps=max_steps, **changes)


def test_bar__shows_step_reward_and_held_out_rate(terminal):
    progress = ProgressCallback(terminal)
    progress.held_out = 0.27
    progress.on_train_begin(None, make_state(0), CONTROL)
    progress.on_log(None, make_state(3), CONTROL, logs={"reward": 0.412, "num_tokens": 5000.0})
    progress.on_train_end(None, make_state(3), CONTROL)
    text = terminal.export_text()
    assert "3/20" in text
    assert "reward 0.41  held-out 0.27" in text
    assert "tokens/s" in text


def test_bar__ends_when_training_raises(terminal, tmp_path):
    observers = Observers(tiny_config(tracking={"report_to": []}), tmp_path, terminal)
    progress = next(one for one in observers.callbacks if isinstance(one, ProgressCallback))
    assert progress._bar is not None
    trainer = SimpleNamespace(add_callback=lambda callback: None)
    with pytest.raises(ZeroDivisionError), observers.watching(trainer):
        progress.on_train_begin(None, make_state(0), CONTROL)
        assert progress._bar.live.is_started
        raise ZeroDivisionError
    assert not progress._bar.live.is_started


@pytest.mark.parametrize("logs", [None, {}, {"train_loss": 0.1}, {"reward": None}])
def test_bar__logs_without_a_reward_change_nothing(logs, terminal):
    progress = ProgressCallback(terminal)
    progress.on_train_begin(None, make_state(0), CONTROL)
    progress.on_log(None, make_state(0), CONTROL, logs=logs)
    progress.on_train_end(None, make_state(0), CONTROL)
    assert "first step ..." in terminal.export_text()


def test_bar__a_resumed_run_begins_where_it_stood(terminal):
    progress = ProgressCallback(terminal)
    progress.on_train_begin(None, make_state(12), CONTROL)
    progress.on_train_end(None, make_state(12), CONTROL)
    assert "12/20" in terminal.export_text()


def test_lines__of_a_resumed_run_by_hand(log_file):
    clock = iter([0.0, 100.0, 110.0, 110.0, 140.0, 140.0])
    progress = ProgressCallback(log_file, clock=lambda: next(clock))
    progress.on_train_begin(None, make_state(2, max_steps=6, num_input_tokens_seen=500), CONTROL)
    # 1,000 tokens in 10 s; one step took 10 s, so the other three take 30 s
    progress.on_log(None, make_state(3, max_steps=6), CONTROL, logs={"reward": 0.412, "num_tokens": 1500.0})
    progress.held_out = 0.27
    # 600 tokens in 30 s; two steps took 40 s, so the other two take 40 s
    progress.on_log(None, make_state(4, max_steps=6), CONTROL, logs={"reward": 0.5, "num_tokens": 2100.0})
    progress.on_save(None, make_state(4, max_steps=6), CONTROL)
    progress.on_train_end(None, make_state(6, max_steps=6), CONTROL)
    assert log_file.export_text().splitlines() == [
        "Training: steps 3 to 6",
        "step 3/6  reward 0.41  100 tokens/s  0:00:30 left",
        "step 4/6  reward 0.50  held-out 0.27  20 tokens/s  0:00:40 left",
        "Saved checkpoint-4",
    ]


def test_lines__only_the_first_rank_prints(log_file):
    progress, state = ProgressCallback(log_file), make_state(1, is_world_process_zero=False)
    progress.on_train_begin(None, state, CONTROL)
    progress.on_log(None, state, CONTROL, logs={"reward": 0.5})
    progress.on_save(None, state, CONTROL)
    assert log_file.export_text() == ""


def test_announce__a_long_phase_is_one_line_and_no_markup(log_file):
    announce(log_file, "Loading the model: [bold] with a long name")
    assert log_file.export_text() == "Loading the model: [bold] with a long name\n"


STEP = re.compile(r"step (\d)/\d  (?:reward|margin) -?\d+\.\d\d  held-out \d\.\d\d  \d+ tokens/s  \d+:\d\d:\d\d left")
PHASES = ("Loading", "Scoring", "Training", "Saved", "Saving", "Writing", "step")


def phases_of(printed: str) -> list[str]:
    """Return the lines of phases, without the steps' numbers."""
    lines = [line for line in printed.splitlines() if line.startswith(PHASES)]
    return [f"step {step[1]}" if (step := STEP.fullmatch(line)) else line for line in lines]


def test_run__grpo_has_a_line_for_each_phase_and_step(finished_run):
    assert phases_of(finished_run.printed) == [
        "Loading the model: tiny",
        "Scoring the base model: 8 answers",
        "Training: steps 1 to 4",
        "step 1",
        "step 2",
        "Saved checkpoint-2",
        "step 3",
        "step 4",
        "Saved checkpoint-4",
        "Saving the adapter",
        "Scoring the adapter: 8 answers",
        "Writing the report",
    ]


def test_run__dpo_has_a_line_for_each_phase_and_step(tmp_path):
    with redirect_stdout(io.StringIO()) as printed:
        train(tiny_dpo_config(write_pairs(tmp_path), run={"folder": str(tmp_path / "run")}))
    assert phases_of(printed.getvalue()) == [
        "Loading the model: tiny",
        "Scoring the base model: 2 answers",
        "Training: steps 1 to 3",
        "step 1",
        "step 2",
        "step 3",
        "Saved checkpoint-3",
        "Saving the adapter",
        "Scoring the adapter: 2 answers",
        "Writing the report",
    ]


def test_run__a_pipe_gets_its_lines_at_once(tmp_path):
    settings = ["trainer.max_steps=2", "data.held_out=2", f"run.folder={tmp_path / 'run'}"]
    command = [sys.executable, "-m", "launch.cli", "train", "tiny", *settings]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        before = list(iter(process.stdout.readline, "Training: steps 1 to 2\n"))
        assert not (tmp_path / "run" / "checkpoint-2").exists(), "the training goes on while its lines are read"
        after = process.stdout.read()
    assert process.returncode == 0
    assert phases_of("".join(before)) == ["Loading the model: tiny", "Scoring the base model: 2 answers"]
    assert phases_of(after)[:3] == ["step 1", "step 2", "Saved checkpoint-2"]
