"""Tracking: every figure the trainer logs, as lines of `metrics.jsonl`."""

import os
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from rl.config import Tracking
from rl.journal import Journal


class MetricsCallback(TrainerCallback):
    """Appends what the trainer logs to the journal, under TRL's names and ours."""

    def __init__(self, journal: Journal):
        self.journal = journal

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, logs: Any = None, **_: Any):
        if state.is_world_process_zero and logs:
            self.journal.append({"step": state.global_step, **logs})


def prepare_trackers(tracking: Tracking) -> None:
    """Let wandb run offline when no key is to be found; an explicit WANDB_MODE wins."""
    if "wandb" in tracking.report_to:
        os.environ.setdefault("WANDB_PROJECT", tracking.project)
        if "WANDB_API_KEY" not in os.environ:
            os.environ.setdefault("WANDB_MODE", "offline")
