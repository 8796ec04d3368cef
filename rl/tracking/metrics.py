"""Metrics: everything that is logged reaches `metrics.jsonl` and every tracker of the config, by one path.

That path is the `on_log` event of transformers' callbacks: `MetricsCallback` writes the file, `WandbCallback` and the
trackers of transformers send the same values on. `log_metrics` is for what is measured outside the trainer.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from rl.config.root import Config
from rl.config.run import TrackingConfig
from rl.runs.jsonl import JsonlFile
from rl.tracking.wandb_callback import WandbCallback


class MetricsCallback(TrainerCallback):
    """Appends a line to `metrics.jsonl` for all that is logged; transformers' prefix `eval_` becomes `eval/`."""

    def __init__(self, log_file: JsonlFile):
        self.log_file = log_file

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: Mapping[str, Any] | None = None,
        **_: Any,
    ) -> None:
        if state.is_world_process_zero and logs:
            renamed = {f"eval/{name[5:]}" if name.startswith("eval_") else name: logs[name] for name in logs}
            self.log_file.append({"step": state.global_step, **renamed})


def fetch_metrics(metrics: dict[str, list[Any]]) -> None:
    """Replace the tensors among each metric's values by numbers, which one transfer brings to the host.

    A tensor that is NaN stands for nothing measured and is left out; so is a metric without any value.
    """
    waiting = [value for values in metrics.values() for value in values if isinstance(value, Tensor)]
    if not waiting:
        return
    fetched = iter(torch.stack([value.detach().float() for value in waiting]).tolist())
    for name, values in list(metrics.items()):
        numbers = [next(fetched) if isinstance(value, Tensor) else value for value in values]
        pairs = zip(numbers, values, strict=True)
        metrics[name] = [number for number, value in pairs if not (isinstance(value, Tensor) and math.isnan(number))]
        if not metrics[name]:
            del metrics[name]


def log_metrics(trainer: Trainer, metrics: Mapping[str, float | str]) -> None:
    """Log at the current step, beside the trainer's own line, which TRL fills when the step is over.

    `trainer.log` would take the unfinished step's metrics along. Trackers show a name that begins with `eval_` as
    `eval/...`, all others as `train/...`.
    """
    is_due = trainer.control.should_log
    trainer.control = trainer.callback_handler.on_log(trainer.args, trainer.state, trainer.control, dict(metrics))
    trainer.control.should_log = is_due  # or the step's own line would be skipped


def start_trackers(config: Config, folder: Path) -> list[WandbCallback]:
    """Return the trackers that this package runs and must finish: wandb's, if `tracking.report_to` names it."""
    return [WandbCallback(config, folder)] if "wandb" in config.tracking.report_to else []


def trl_trackers(tracking: TrackingConfig) -> list[str]:
    """Return the trackers that TRL runs; its wandb beside ours would log everything twice."""
    return [name for name in tracking.report_to if name != "wandb"]
