"""`heed bench rollouts` and `heed bench rules`: the time of a training step, by way of sampling and by credit rule."""

import statistics
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from launch.bench.phases import LEARNER, StepClock, between, medians
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
PROBLEMS = {"num_problems": 64}
"""The data settings of all modes, where a benchmark has none of its own."""
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
    data: Mapping[str, Any] = PROBLEMS,
    checkpointing: bool = False,
) -> list[dict[str, Any]]:
    """Return a row per mode: median seconds a step over `rounds` trainings of `steps` steps after two of warm-up.

    Modes alternate; learner and worker have one thread each. `wait_seconds` is how long the learner waited for samples;
    `staleness` by how many steps the samples' policy was older. `computed_seconds` are this process's CPU time, on CUDA
    that of the clock on the wall; the learner is a step without its sampling. Ratios are to the modes in `baselines`.
    """
    clocks: dict[str, list[StepClock]] = {mode: [] for mode in modes}
    logged: dict[str, list[dict[str, float]]] = {mode: [] for mode in modes}
    with torch_threads(1):
        for index in range(rounds):
            for mode in list(modes)[:: (-1) ** index]:  # drift favours no mode
                sizes = {"completions": completions, "length": length, "steps": steps, "checkpointing": checkpointing}
                config = bench_config(model, modes[mode], **sizes, dtype=dtype, data=data)
                clock, log = _train(config, plain=modes[mode] is None)
                clocks[mode].append(clock)
                logged[mode] += log
    return [_row(mode, clocks, logged[mode], baselines) for mode in modes]


def bench_config(
    model: str,
    mode: dict[str, Any] | None,
    *,
    completions: int,
    length: int,
    steps: int,
    dtype: str = "float32",
    data: Mapping[str, Any] = PROBLEMS,
    checkpointing: bool = False,
) -> Config:
    """Return the settings of one training of a mode."""
    settings = mode or {}
    return parse_config(
        {
            **settings,
            "model": {"name": model, "dtype": dtype},
            "data": {**data, "held_out": 0},
            "trainer": {
                "max_steps": WARM_UP_STEPS + steps,
                "per_device_train_batch_size": completions,
                "num_generations": 8 if completions % 8 == 0 else completions,
                "max_completion_length": length,
                "save_steps": WARM_UP_STEPS + steps + 1,
                "gradient_checkpointing": checkpointing,
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
            clock.watch(trainer)
            trainer.train()
        else:
            trainer = build_trainer(config, Path(folder), problems, [clock])
            assert isinstance(trainer, CreditGRPOTrainer)
            clock.watch(trainer)
            try:
                trainer.train()
            finally:
                trainer.rollouts.close()
    lines = [line for line in trainer.state.log_history if "loss" in line]
    return clock, lines[WARM_UP_STEPS:]


def _row(
    mode: str, clocks: Mapping[str, Sequence[StepClock]], log: Sequence[Mapping[str, float]], baselines: Sequence[str]
) -> dict[str, Any]:
    seconds = {name: _step_seconds(measured) for name, measured in clocks.items()}
    median = statistics.median(seconds[mode])
    ratios = {name: median / statistics.median(seconds[name]) if name in seconds else None for name in baselines}
    logged = {column: [line[key] for line in log if key in line] for column, key in METRICS.items()}
    return {
        "mode": mode,
        "step_seconds": round(median, 4),
        "step_seconds_spread": [round(min(seconds[mode]), 4), round(max(seconds[mode]), 4)],
        **_computed(clocks[mode]),
        **{f"ratio_to_{name}": ratio and round(ratio, 4) for name, ratio in ratios.items()},
        **{column: round(statistics.median(values), 4) if values else None for column, values in logged.items()},
    }


def _step_seconds(clocks: Sequence[StepClock]) -> list[float]:
    return [seconds for clock in clocks for seconds in between(clock.ends, WARM_UP_STEPS - 1)]


def _computed(clocks: Sequence[StepClock]) -> dict[str, Any]:
    """Return the medians of what the steps computed, and of the memory they needed, in all and by phase."""
    computed = [seconds for clock in clocks for seconds in between(clock.computed, WARM_UP_STEPS - 1)]
    seconds, peaks = (
        [step for clock in clocks for step in steps(clock)[WARM_UP_STEPS:]]
        for steps in (lambda clock: clock.seconds_by_phase, lambda clock: clock.peaks)
    )
    learner = [step - phases["sampling"] for step, phases in zip(computed, seconds, strict=True)]
    return {
        "computed_seconds": round(statistics.median(computed), 4),
        "learner_seconds": round(statistics.median(learner), 4),
        "learner_seconds_spread": [round(min(learner), 4), round(max(learner), 4)],
        "learner_bytes": round(statistics.median(max(step[phase] for phase in LEARNER) for step in peaks)),
        "seconds_by_phase": medians(seconds, digits=4),
        "bytes_by_phase": medians(peaks, digits=None),
    }
