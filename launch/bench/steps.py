"""What a step costs: ours beside plain TRL's, with the next batch sampled ahead, and with each credit rule."""

import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from transformers import PrinterCallback, TrainerCallback

from rl.build import build_trainer
from rl.common.threads import torch_threads
from rl.config.load import parse_config
from rl.config.root import Config
from rl.datasets import as_dataset, load_problems
from rl.models.load import load_model, load_tokenizer, model_path
from rl.models.lora import lora_config
from rl.scoring.reward_functions import reward_functions
from rl.trainers.grpo import CreditGRPOTrainer, GRPOTrainer
from rl.trainers.trl_args import grpo_arguments

Modes = Mapping[str, dict[str, Any] | None]
"""Name -> groups of settings; None is TRL's own trainer with its own generation."""

ROLLOUTS: Modes = {
    "plain TRL": None,
    "synchronous": {"rollouts": {"workers": 1}},
    "one group a unit": {"rollouts": {"workers": 1, "groups_per_unit": 1}},
    "overlapped": {"rollouts": {"workers": 1, "max_staleness": 1}},
}


def rule_modes(rules: Sequence[str]) -> Modes:
    """A mode a credit rule, all sampling in this process and hardly learning, so that all see the same completions."""
    return {rule: {"credit": {"rule": rule}, "trainer": {"learning_rate": 1e-12}} for rule in rules}


class StepClock(TrainerCallback):
    """Seconds from one step's end to the next one's."""

    def __init__(self) -> None:
        self.ends: list[float] = []

    def on_step_end(self, *_: Any, **__: Any) -> None:
        self.ends.append(time.perf_counter())

    def seconds(self, warm_up: int) -> list[float]:
        return [end - start for start, end in zip(self.ends[warm_up:], self.ends[warm_up + 1 :], strict=False)]


def bench_steps(
    model: str = "smollm2-135m-instruct",
    *,
    completions: int = 16,
    length: int = 48,
    steps: int = 5,
    rounds: int = 3,
    modes: Modes = ROLLOUTS,
    baselines: Sequence[str] = ("plain TRL", "synchronous"),
) -> list[dict[str, Any]]:
    """One row a mode: median seconds a step over `rounds` that take turns, each of `steps` after two to warm up.

    One thread each for learner and worker. `waiting` is how long the learner waited for samples; `lag` how many steps
    the samples' policy was behind. Ratios are to the modes in `baselines`.
    """
    seconds: dict[str, list[float]] = {mode: [] for mode in modes}
    logged: dict[str, list[dict[str, float]]] = {mode: [] for mode in modes}
    with torch_threads(1):
        for number in range(rounds):
            for mode in list(modes)[:: (-1) ** number]:  # whatever drifts meanwhile favours no mode
                config = bench_config(model, modes[mode], completions=completions, length=length, steps=steps)
                taken, log = _run(config, plain=modes[mode] is None)
                seconds[mode] += taken
                logged[mode] += log
    return [_row(mode, seconds, logged[mode], baselines) for mode in modes]


def bench_config(model: str, mode: dict[str, Any] | None, *, completions: int, length: int, steps: int) -> Config:
    asked = mode or {}
    return parse_config(
        {
            **asked,
            "model": {"name": model, "dtype": "float32"},
            "data": {"num_problems": 64, "held_out": 0},
            "trainer": {
                "max_steps": steps + 2,
                "per_device_train_batch_size": completions,
                "num_generations": 8 if completions % 8 == 0 else completions,
                "max_completion_length": length,
                "save_steps": steps + 3,
                **asked.get("trainer", {}),
            },
            "rollouts": {"threads": 1, **asked.get("rollouts", {})},
        }
    )


def _run(config: Config, *, plain: bool) -> tuple[list[float], list[dict[str, float]]]:
    clock = StepClock()
    with tempfile.TemporaryDirectory() as folder:
        if plain:
            trainer = _plain_trainer(config, Path(folder), clock)
            trainer.train()
        else:
            trainer = build_trainer(config, Path(folder), load_problems(config.data).train, [clock])
            assert isinstance(trainer, CreditGRPOTrainer)
            try:
                trainer.train()
            finally:
                trainer.rollouts.close()
    lines = [line for line in trainer.state.log_history if "loss" in line]
    return clock.seconds(warm_up=1), lines[2:]


def _plain_trainer(config: Config, folder: Path, clock: StepClock) -> GRPOTrainer:
    """TRL as it comes: its own generation, no credit, no record, no ledger."""
    model, tokenizer = load_model(config.model.name), load_tokenizer(config.model.name)
    model.name_or_path = model_path(config.model.name)
    rewards, weights = reward_functions(config.rewards)
    arguments = grpo_arguments(config, folder=folder, bf16=False)
    arguments.reward_weights = weights
    trainer = GRPOTrainer(
        model=model,
        args=arguments,
        processing_class=tokenizer,
        train_dataset=as_dataset(load_problems(config.data).train),
        reward_funcs=[*rewards],
        peft_config=lora_config(config.lora),
        callbacks=[clock],
    )
    trainer.remove_callback(PrinterCallback)
    return trainer


def _row(
    mode: str, seconds: dict[str, list[float]], log: list[dict[str, float]], baselines: Sequence[str]
) -> dict[str, Any]:
    own = statistics.median(seconds[mode])
    row: dict[str, Any] = {
        "mode": mode,
        "step_seconds": round(own, 4),
        "step_seconds_spread": [round(min(seconds[mode]), 4), round(max(seconds[mode]), 4)],
    }
    for other in baselines:
        row[f"ratio_to_{other}"] = round(own / statistics.median(seconds[other]), 4) if other in seconds else None
    for name, key in (
        ("waiting_seconds", "sync/wait_seconds"),
        ("sampling_seconds", "sync/sampling_seconds"),
        ("publish_seconds", "sync/publish_seconds"),
        ("handover_seconds", "sync/handover_seconds"),
        ("adapter_bytes", "sync/bytes"),
        ("lag", "sync/staleness_mean"),
    ):
        values = [line[key] for line in log if key in line]
        row[name] = round(statistics.median(values), 4) if values else None
    return row
