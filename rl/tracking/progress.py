"""Progress: one rich bar with the figures a person waits for."""

import time
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from transformers import TrainerCallback, TrainerState

TOLD = {"reward": "reward", "rewards/margins": "margin"}
"""TRL's figure -> what the bar calls it: GRPO's reward, DPO's margin."""


class ProgressCallback(TrainerCallback):
    """Step, reward, the base's held-out pass rate, tokens a second (prompts included), time left."""

    def __init__(self, console: Console):
        self.held_out: float | None = None
        self._bar = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[figures]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
        )
        self._task = self._bar.add_task("training", total=None, figures="first step ...")
        self._last = (0.0, 0)

    def on_train_begin(self, args: Any, state: TrainerState, control: Any, **_: Any) -> None:
        self._bar.update(self._task, total=state.max_steps, completed=state.global_step)
        self._last = (time.perf_counter(), int(state.num_input_tokens_seen))
        if state.is_world_process_zero:
            self._bar.start()

    def on_log(self, args: Any, state: TrainerState, control: Any, logs: Any = None, **_: Any) -> None:
        told = next(((name, logs[key]) for key, name in TOLD.items() if logs and logs.get(key) is not None), None)
        if told is None:
            return
        now, tokens = time.perf_counter(), int(state.num_input_tokens_seen)
        rate = (tokens - self._last[1]) / max(now - self._last[0], 1e-9)
        self._last = (now, tokens)
        held_out = "" if self.held_out is None else f"held-out {self.held_out:.2f}  "
        figures = f"{told[0]} {told[1]:.2f}  {held_out}{rate:.0f} tokens/s"
        self._bar.update(self._task, completed=state.global_step, figures=figures)

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._bar.stop()
