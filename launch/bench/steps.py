"""`heed bench rollouts` and `heed bench rules`: the time of a training step, by way of sampling and by credit rule."""

import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from launch.bench.peak_memory import PeakMemory
from rl.build import build_trainer
from rl.common.threads import torch_threads
from rl.config.load import parse_config
from rl.config.root import Config
from rl.datasets import load_problems
from rl.trainers.grpo import CreditGRPOTrainer
from rl.trainers.plain_grpo import plain_grpo_trainer

Modes = Mapping[str, dict[str, Any] | None]
"""Name -> groups of settings; None is TRL's own trainer with its own generation."""

ROLLOUTS: Modes = {
    "plain TRL": None,
    "synchronous": {"rollouts": {"workers": 1}},
    "one group a unit": {"rollouts": {"workers": 1, "groups_per_unit": 1}},
    "overlapped": {"rollouts": {"workers": 1, "max_staleness": 1}},
}
WARM_UP_STEPS = 2
METRICS = {
    "wait_seconds": "sync/wait_seconds",
    "sampling_seconds": "sync/sampling_seconds",
    "publish_seconds": "sync/publish_seconds",
    "handover_seconds": "sync/handover_seconds",
    "adapter_bytes": "sync/bytes",
    "staleness": "sync/staleness_mean",
    "sampled_tokens": "completions/mean_length",
}
"""Column of a row -> logged metric that it is the median of."""


def rule_modes(rules: Sequence[str]) -> Modes:
    """Return a mode per credit rule; the learning rate is tiny so that all rules get the same completions."""
    return {rule: {"credit": {"rule": rule}, "trainer": {"learning_rate": 1e-12}} for rule in rules}


class StepClock(TrainerCallback):
    """Measures the seconds from one step's end to the next one's, and the memory that each step needs."""

    def __init__(self) -> None:
        self.ends: list[float] = []
        self.peaks: list[int] = []
        self._memory = PeakMemory()

    def on_step_begin(self, *_: Any, **__: Any) -> None:
        self._memory.start()

    def on_step_end(self, *_: Any, **__: Any) -> None:
        self.ends.append(time.perf_counter())
        self.peaks.append(self._memory.peak())

    def seconds(self, warm_up: int) -> list[float]:
        """Return the times between ends after the first `warm_up` of them."""
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
    dtype: str = "float32",
) -> list[dict[str, Any]]:
    """Return a row per mode: median seconds a step over `rounds` trainings of `steps` steps after two of warm-up.

    Modes alternate; learner and worker have one thread each. `wait_seconds` is how long the learner waited for samples;
    `staleness` by how many steps the samples' policy was older. Ratios are to the modes in `baselines`.
    """
    seconds: dict[str, list[float]] = {mode: [] for mode in modes}
    logged: dict[str, list[dict[str, float]]] = {mode: [] for mode in modes}
    peaks: dict[str, list[int]] = {mode: [] for mode in modes}
    with torch_threads(1):
        for index in range(rounds):
            for mode in list(modes)[:: (-1) ** index]:  # drift favours no mode
                sizes = {"completions": completions, "length": length, "steps": steps}
                config = bench_config(model, modes[mode], **sizes, dtype=dtype)
                clock, log = _train(config, plain=modes[mode] is None)
                seconds[mode] += clock.seconds(warm_up=WARM_UP_STEPS - 1)
                peaks[mode] += clock.peaks[WARM_UP_STEPS:]
                logged[mode] += log
    return [_row(mode, seconds, logged[mode], peaks[mode], baselines) for mode in modes]


def bench_config(
    model: str, mode: dict[str, Any] | None, *, completions: int, length: int, steps: int, dtype: str = "float32"
) -> Config:
    """Return the settings of one training of a mode."""
    settings = mode or {}
    return parse_config(
        {
            **settings,
            "model": {"name": model, "dtype": dtype},
            "data": {"num_problems": 64, "held_out": 0, **settings.get("data", {})},
            "trainer": {
                "max_steps": WARM_UP_STEPS + steps,
                "per_device_train_batch_size": completions,
                "num_generations": 8 if completions % 8 == 0 else completions,
                "max_completion_length": length,
                "save_steps": WARM_UP_STEPS + steps + 1,
                **settings.get("trainer", {}),
            },
            "rollouts": {"threads": 1, **settings.get("rollouts", {})},
        }
    )


def _train(config: Config, *, plain: bool) -> tuple[StepClock, list[dict[str, float]]]:
    """Return the clock of a training, and the lines that were logged for its measured steps."""
    clock, problems = StepClock(), load_problems(config.data).train
    with tempfile.TemporaryDirectory() as folder:
        if plain:
            trainer = plain_grpo_trainer(config, Path(folder), problems, [clock])
            trainer.train()
        else:
            trainer = build_trainer(config, Path(folder), problems, [clock])
            assert isinstance(trainer, CreditGRPOTrainer)
            try:
                trainer.train()
            finally:
                trainer.rollouts.close()
    lines = [line for line in trainer.state.log_history if "loss" in line]
    return clock, lines[WARM_UP_STEPS:]


def _row(
    mode: str,
    seconds: dict[str, list[float]],
    log: list[dict[str, float]],
    peaks: list[int],
    baselines: Sequence[str],
) -> dict[str, Any]:
    median = statistics.median(seconds[mode])
    learner = [
        step - line[METRICS["sampling_seconds"]]
        for step, line in zip(seconds[mode], log, strict=False)
        if METRICS["sampling_seconds"] in line
    ]
    ratios = {name: median / statistics.median(seconds[name]) if name in seconds else None for name in baselines}
    logged = {column: [line[key] for line in log if key in line] for column, key in METRICS.items()}
    return {
        "mode": mode,
        "step_seconds": round(median, 4),
        "step_seconds_spread": [round(min(seconds[mode]), 4), round(max(seconds[mode]), 4)],
        "learner_seconds": round(statistics.median(learner), 4) if learner else None,
        "learner_bytes": round(statistics.median(peaks)) if peaks else None,
        **{f"ratio_to_{name}": ratio and round(ratio, 4) for name, ratio in ratios.items()},
        **{column: round(statistics.median(values), 4) if values else None for column, values in logged.items()},
    }
