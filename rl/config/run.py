"""The run: its folder, its held-out evaluation and its trackers."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from rl.config.types import FileName, Positive, Seconds, Section, Weight


class EvaluationConfig(Section):
    temperature: Weight = 0.0
    """0 is greedy."""
    samples: Positive = 1
    batch_size: Positive = 48
    every: Annotated[int, Field(ge=0)] = 0
    """Score the held-out problems every so many steps as well; 0 only before and after training."""


class TrackingConfig(Section):
    report_to: tuple[Literal["wandb", "tensorboard", "trackio"], ...] = ()
    """Trackers besides the `metrics.jsonl` that is always written; wandb runs offline when there is no key."""
    project: str = "heed"


class RunConfig(Section):
    name: FileName = "run"
    folder: Path | None = None
    """Where the run writes; null takes the next free `runs/<name>-<number>`."""
    grace: Seconds = 120.0
    """After SIGTERM, seconds for the step under way to end and be saved; then the run stops as it was saved before."""
    accept_changed_code: bool = False
    """Resume although custom reward functions, rules or verifiers have changed since the run began."""
