"""Tracking: every figure the trainer logs, as lines of `metrics.jsonl` always, and at the trackers asked for."""

from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from rl.config.root import Config
from rl.config.run import TrackingConfig
from rl.runs.jsonl import JsonlFile
from rl.tracking.wandb_callback import WandbCallback


class MetricsCallback(TrainerCallback):
    """Appends what the trainer logs to the journal, under TRL's names and ours."""

    def __init__(self, log_file: JsonlFile):
        self.log_file = log_file

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, logs: Any = None, **_: Any):
        if state.is_world_process_zero and logs:
            self.log_file.append({"step": state.global_step, **logs})


def start_trackers(config: Config, folder: Path) -> list[WandbCallback]:
    """The trackers that are ours to run and to finish: wandb's, if it is asked for."""
    return [WandbCallback(config, folder)] if "wandb" in config.tracking.report_to else []


def trainers_own_trackers(tracking: TrackingConfig) -> list[str]:
    """The trackers that TRL runs by itself; ours beside its own wandb would log everything twice."""
    return [name for name in tracking.report_to if name != "wandb"]
