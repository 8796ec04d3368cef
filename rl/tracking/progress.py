"""Progress: a bar on a terminal; elsewhere, as in a SLURM log file, a line for each phase and each step."""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from transformers import TrainerCallback, TrainerControl, TrainerState

SHOWN = {"reward": "reward", "rewards/margins": "margin"}
"""Logged metric -> its short name: GRPO's reward, DPO's margin."""


def announce(console: Console, phase: str) -> None:
    """Print the phase of the run that begins now, on a line of its own that is flushed at once."""
    console.print(phase, markup=False, highlight=False, soft_wrap=True)


class ProgressCallback(TrainerCallback):
    """Shows step, reward, held-out pass rate, tokens a second (prompts included) and time left."""

    def __init__(self, console: Console, *, clock: Callable[[], float] = time.perf_counter):
        self.console = console
        self.clock = clock
        self.held_out: float | None = None
        """The newest held-out pass rate, the base model's at first; None where nothing is held out."""
        self._bar = _bar(console) if console.is_interactive else None
        self._first_step = 0
        self._started = self.clock()
        self._last = (self._started, 0)

    def on_train_begin(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self._first_step, self._started = state.global_step, self.clock()
        self._last = (self._started, int(state.num_input_tokens_seen))
        if not state.is_world_process_zero:
            return
        if self._bar is None:
            announce(self.console, f"Training: steps {state.global_step + 1} to {state.max_steps}")
        else:
            self._bar.update(self._bar.task_ids[0], total=state.max_steps, completed=state.global_step)
            self._bar.start()

    def on_log(
        self, args: Any, state: TrainerState, control: TrainerControl, logs: dict[str, Any] | None = None, **_: Any
    ) -> None:
        logs = logs or {}
        shown = next((f"{name} {logs[key]:.2f}" for key, name in SHOWN.items() if logs.get(key) is not None), None)
        if shown is None or not state.is_world_process_zero:
            return
        rate = self._tokens_per_second(int(logs.get("num_tokens", state.num_input_tokens_seen)))
        parts = [shown, *([] if self.held_out is None else [f"held-out {self.held_out:.2f}"]), f"{rate:.0f} tokens/s"]
        if self._bar is None:
            parts = [f"step {state.global_step}/{state.max_steps}", *parts, f"{self._time_left(state)} left"]
            announce(self.console, "  ".join(parts))
        else:
            self._bar.update(self._bar.task_ids[0], completed=state.global_step, metrics="  ".join(parts))

    def on_save(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        if self._bar is None and state.is_world_process_zero:
            announce(self.console, f"Saved checkpoint-{state.global_step}")

    def on_train_end(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self.stop()

    def stop(self) -> None:
        """Leave the bar as it is, and give the cursor back to the terminal."""
        if self._bar is not None:
            self._bar.stop()

    def _tokens_per_second(self, tokens: int) -> float:
        """Return the rate since the last call; `tokens` counts from the start of the training."""
        (last_time, last_tokens), now = self._last, self.clock()
        self._last = (now, tokens)
        return (tokens - last_tokens) / max(now - last_time, 1e-9)

    def _time_left(self, state: TrainerState) -> timedelta:
        """Return the time that the remaining steps take at the mean pace of the steps done since the (re)start."""
        pace = (self.clock() - self._started) / max(state.global_step - self._first_step, 1)
        return timedelta(seconds=round(pace * (state.max_steps - state.global_step)))


def _bar(console: Console) -> Progress:
    bar = Progress(
        TextColumn("[bold]{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[metrics]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
    )
    bar.add_task("training", total=None, metrics="first step ...")
    return bar
