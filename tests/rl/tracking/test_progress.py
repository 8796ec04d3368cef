"""Progress: the bar shows what a person waits for."""

import pytest
from rich.console import Console
from transformers import TrainerControl, TrainerState

from rl.tracking.progress import ProgressCallback


@pytest.fixture
def console() -> Console:
    return Console(record=True, width=160, force_terminal=True)


def shown(console: Console) -> str:
    return console.export_text()


def test_step_reward_and_held_out_rate_are_shown(console):
    progress = ProgressCallback(console)
    progress.held_out = 0.27
    state = TrainerState(max_steps=20, global_step=0, num_input_tokens_seen=0)
    progress.on_train_begin(None, state, TrainerControl())
    state.global_step, state.num_input_tokens_seen = 3, 5000
    progress.on_log(None, state, TrainerControl(), logs={"reward": 0.412})
    progress.on_train_end(None, state, TrainerControl())
    text = shown(console)
    assert "3/20" in text
    assert "reward 0.41  held-out 0.27" in text
    assert "tokens/s" in text


@pytest.mark.parametrize("logs", [None, {}, {"train_loss": 0.1}, {"reward": None}])
def test_logs_without_a_reward_change_nothing(logs, console):
    progress = ProgressCallback(console)
    state = TrainerState(max_steps=20, global_step=0)
    progress.on_train_begin(None, state, TrainerControl())
    progress.on_log(None, state, TrainerControl(), logs=logs)
    progress.on_train_end(None, state, TrainerControl())
    assert "first step ..." in shown(console)


def test_a_resumed_bar_begins_where_the_run_stood(console):
    progress = ProgressCallback(console)
    state = TrainerState(max_steps=20, global_step=12)
    progress.on_train_begin(None, state, TrainerControl())
    progress.on_train_end(None, state, TrainerControl())
    assert "12/20" in shown(console)
