"""Settings of `run`, `evaluation` and `tracking`: the run folder, the held-out evaluation and the trackers."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from rl.config.types import FileName, Positive, Seconds, Section, Weight


class EvaluationConfig(Section):
    """How the policy is evaluated on the held-out problems of `data`."""

    temperature: Weight = 0.0
    """0 is greedy."""
    samples: Positive = 1
    """Answers to each problem."""
    batch_size: Positive = 48
    """Answers generated at a time."""
    rewards: bool = True
    """Score the answers by `rewards.functions`, too; turn it off for functions that cost much or count their calls."""
    trip_wires: bool = False
    """Answer 27 trip-wire prompts as well, and count the answers that keep their rule by a shortcut (`hacked`)."""
    every: Annotated[int, Field(ge=0)] = 0
    """Optimizer steps between evaluations during training; 0 evaluates only before and after it."""


class TrackingConfig(Section):
    """Where metrics go besides `metrics.jsonl`, which is always written."""

    report_to: tuple[Literal["wandb", "tensorboard", "trackio"], ...] = ()
    """Trackers; wandb runs offline when there is no API key."""
    project: str = "heed"


class RunConfig(Section):
    """The run's name and folder."""

    name: FileName = "run"
    folder: Path | None = None
    """Folder to write to; null takes the next free `runs/<name>-<number>`."""
    grace: Seconds = 120.0
    """Seconds after SIGTERM to finish and save the current step; past it, the run ends with its last checkpoint."""
    rebuild_ledger: bool = False
    """Resume although the ledger was lost: the checkpoint rebuilds it, without problem ids, workers, times, drops."""
    accept_changed_code: bool = False
    """Resume although your reward functions, credit rules or verifiers have changed since the run began."""
