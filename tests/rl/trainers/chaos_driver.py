"""A run that kills itself at a phase's n-th time.

Usage: `python -m tests.rl.trainers.chaos_driver PHASE N RECIPE [KEY=VALUE]...`
"""

import functools
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from launch.environment import prepare_environment

prepare_environment()

from launch.recipes import load_recipe  # noqa: E402
from rl.rollouts.workers.dispatcher import Dispatcher  # noqa: E402
from rl.train import train  # noqa: E402
from rl.trainers.grpo import CreditGRPOTrainer  # noqa: E402  (the environment comes first)
from rl.trainers.grpo_state import GRPOState  # noqa: E402

PHASES: dict[str, tuple[Any, str]] = {
    "publishing": (Dispatcher, "publish"),
    "generating": (Dispatcher, "collect"),
    "rewarding": (CreditGRPOTrainer, "_calculate_rewards"),
    "loss": (CreditGRPOTrainer, "_compute_loss"),
    "saving": (GRPOState, "save"),
}
"""What is about to happen when the kill comes; `saving` comes between transformers' files and ours."""


def dying(act: Callable, time: int) -> Callable:
    """`act`, which kills this process instead of being done for the n-th time."""
    calls = iter(range(1, time + 1))

    @functools.wraps(act)
    def done(*args: Any, **kwargs: Any) -> Any:
        if next(calls, None) == time:
            os.kill(os.getpid(), signal.SIGKILL)
        return act(*args, **kwargs)

    return done


if __name__ == "__main__":
    phase, time, recipe, *overrides = sys.argv[1:]
    owner, name = PHASES[phase]
    setattr(owner, name, dying(getattr(owner, name), int(time)))
    train(load_recipe(recipe, overrides))
