"""Standstill alarm: warns, once and in one line, when the rewards have taught nothing for many steps."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from transformers import TrainerCallback, TrainerControl, TrainerState

from rl.runs.jsonl import read_jsonl

EQUAL_GROUPS = "frac_reward_zero_std"
"""TRL's metric: the share of groups whose completions all have the same reward; a mean over the logged steps."""


class StandstillAlarm(TrainerCallback):
    """Warns after `steps` steps in which no group had a difference in reward; logged as `standstill`, too.

    GRPO compares a completion with its group, so such a step has only advantages of 0. After a step that teaches
    something, the alarm can go off again.
    """

    def __init__(self, steps: int, log: Callable[[dict[str, Any]], None], metrics_path: Path, console: Console):
        self.steps = steps
        self.log = log
        self.metrics_path = metrics_path
        self.console = console
        self._last_useful = 0
        """The last step in which a group differed."""
        self._warned = False

    def on_train_begin(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        for line in read_jsonl(self.metrics_path):  # of a resumed run
            self._update(line, line["step"])

    def on_log(
        self, args: Any, state: TrainerState, control: TrainerControl, logs: dict[str, Any] | None = None, **_: Any
    ) -> None:
        was_warned = self._warned
        self._update(logs or {}, state.global_step)
        if self._warned and not was_warned and state.is_world_process_zero:
            warning = self._warning(state.global_step - self._last_useful)
            self.console.print(f"[bold red]step {state.global_step}: {warning}[/bold red]", soft_wrap=True)
            self.log({"standstill": warning})

    def _update(self, logs: Mapping[str, Any], step: int) -> None:
        if (share := logs.get(EQUAL_GROUPS)) is None:
            return
        if share < 1.0:
            self._last_useful = step
        self._warned = step - self._last_useful >= self.steps

    def _warning(self, steps: int) -> str:
        return (
            f"standstill: in the last {steps} steps every completion earned as much as the others of its group, so the "
            "rewards taught nothing; take problems that the policy solves sometimes, rewards.satisfaction=graded, a "
            "higher trainer.temperature or more trainer.num_generations"
        )
