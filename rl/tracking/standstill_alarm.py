"""Standstill alarm: warns, once and in one line, when the rewards have taught nothing for many steps."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from rl.tracking.alarm import Alarm

EQUAL_GROUPS = "frac_reward_zero_std"
"""TRL's metric: the share of groups whose completions all have the same reward; a mean over the logged steps."""


class StandstillAlarm(Alarm):
    """Warns after `steps` steps in which no group had a difference in reward.

    GRPO compares a completion with its group, so such a step has only advantages of 0. After a step that teaches
    something, the alarm can go off again.
    """

    name = "standstill"

    def __init__(self, steps: int, log: Callable[[dict[str, Any]], None], metrics_path: Path, console: Console):
        super().__init__(log, metrics_path, console)
        self.steps = steps
        self._last_useful = 0
        """The last step in which a group differed."""

    def update(self, logs: Mapping[str, Any], step: int) -> None:
        if (share := logs.get(EQUAL_GROUPS)) is None:
            return
        if share < 1.0:
            self._last_useful = step
        steps = step - self._last_useful
        self.warning = None if steps < self.steps else _warning(steps)


def _warning(steps: int) -> str:
    return (
        f"standstill: in the last {steps} steps every completion earned as much as the others of its group, so the "
        "rewards taught nothing; take problems that the policy solves sometimes, rewards.satisfaction=graded, a "
        "higher trainer.temperature or more trainer.num_generations"
    )
