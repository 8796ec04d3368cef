"""Stage: the time of a sampled token, and how far the sampler's log-probs are from those in the loss."""

import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from launch.bench.gpu.stage import Row, Setup
from launch.bench.gpu.trainings import training_config
from rl.build import trainer_context
from rl.config.root import Config
from rl.datasets import load_problems
from rl.rollouts.off_policy import OffPolicyCorrection
from rl.trainers.grpo import CreditGRPOTrainer

STEPS = 4
FLOAT32_TOLERANCE = 1e-3
"""Of a log-prob. In bfloat16 the gap is what the matrix products leave, and only its size can be told."""


class GapRecorder(OffPolicyCorrection):
    """Corrects as ever, and keeps the gap between learner and sampler of every token."""

    def __init__(self, correction: OffPolicyCorrection):
        super().__init__(mode=correction.mode, cap=correction.cap)
        self.gaps: list[Tensor] = []

    def apply(
        self, live: dict[str, Any], learner_logps: Tensor, *, loss_type: str
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        gap_BT = (learner_logps - live["sampling_per_token_logps"]).detach().abs()
        self.gaps.append(gap_BT[live["completion_mask"].bool()])
        return super().apply(live, learner_logps, loss_type=loss_type)


def measure(setup: Setup) -> Iterator[Row]:
    """Yield a row for each number format, after steps that have moved the adapter."""
    for dtype in ("bfloat16", "float32"):
        trainer = {"max_steps": STEPS, "learning_rate": 1e-3}
        config = training_config(setup, model={"dtype": dtype}, trainer=trainer)
        row: Row = {"dtype": dtype, "model": setup.model} | sampling_row(config, setup.folder / dtype)
        if dtype == "float32" and not row["gap_max"] <= FLOAT32_TOLERANCE:
            row["finding"] = f"in float32 sampler and loss differ by {row['gap_max']:.2g} in a log-prob"
        yield row


def sampling_row(config: Config, folder: Path) -> Row:
    """Return the time of a token after the first step, and the gaps of all tokens."""
    problems = load_problems(config.data).train
    with trainer_context(config, folder, problems, []) as trainer:
        assert isinstance(trainer, CreditGRPOTrainer)
        recorder = trainer.rollouts.correction = GapRecorder(trainer.rollouts.correction)
        trainer.train()
    steps = [line for line in trainer.state.log_history if "loss" in line][1:]
    seconds = statistics.median(step["sync/sampling_seconds"] for step in steps)
    # Rows are sampled side by side, so the longest decides how often the model is called.
    calls = statistics.median(step["completions/max_length"] for step in steps)
    gaps = torch.cat(recorder.gaps).float()
    return {
        "rows": config.trainer.per_device_train_batch_size * config.trainer.gradient_accumulation_steps,
        "ms_per_token": 1000 * seconds / calls,
        "gap_mean": gaps.mean().item(),
        "gap_99_percent": gaps.quantile(0.99).item(),
        "gap_max": gaps.max().item(),
    }
