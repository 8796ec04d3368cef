"""Phases of a training step, for TRL's trainer and ours: seconds and peak memory of each."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import wraps
from statistics import median
from typing import Any

from transformers import TrainerCallback

from launch.bench.peak_memory import PeakMemory
from launch.bench.stopwatch import seconds_computed

LEARNER = ("forward", "backward", "optimizer")
PHASES = ("sampling", *LEARNER)

Measured = dict[str, float]
"""Phase -> seconds, or bytes."""


class StepClock(TrainerCallback):
    """Measures each step: from the end of the one before, and its phases."""

    def __init__(self) -> None:
        self.ends: list[float] = []
        self.computed: list[float] = []
        """Seconds of computing in this process, at the same moments."""
        self.seconds_by_phase: list[Measured] = []
        self.peaks: list[Measured] = []
        """Bytes above what was held when the step began."""
        self._memory = PeakMemory()

    def watch(self, trainer: Any) -> None:
        """Measure the calls of a GRPO trainer, whose callbacks must include this clock."""
        trainer._generate = self._measured("sampling", trainer._generate)
        trainer.compute_loss = self._measured("forward", trainer.compute_loss)
        trainer.accelerator.backward = self._measured("backward", trainer.accelerator.backward)

    def on_step_begin(self, *_: Any, **__: Any) -> None:
        self._memory.start()
        self.seconds_by_phase.append(dict.fromkeys(PHASES, 0.0))
        self.peaks.append(dict.fromkeys(PHASES, 0.0))

    def on_pre_optimizer_step(self, *_: Any, **__: Any) -> None:
        self._optimizer = self._phase("optimizer")
        self._optimizer.__enter__()

    def on_optimizer_step(self, *_: Any, **__: Any) -> None:
        self._optimizer.__exit__(None, None, None)

    def on_step_end(self, *_: Any, **__: Any) -> None:
        self.ends.append(time.perf_counter())
        self.computed.append(seconds_computed())

    def _measured(self, phase: str, call: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(call)
        def measured(*args: Any, **kwargs: Any) -> Any:
            with self._phase(phase):
                return call(*args, **kwargs)

        return measured

    @contextmanager
    def _phase(self, name: str) -> Iterator[None]:
        self._memory.reset()
        start = seconds_computed()
        try:
            yield
        finally:
            self.seconds_by_phase[-1][name] += seconds_computed() - start
            self.peaks[-1][name] = max(self.peaks[-1][name], self._memory.peak())


def between(ends: Sequence[float], warm_up: int) -> list[float]:
    """Return the times between ends after the first `warm_up` of them."""
    return [end - start for start, end in zip(ends[warm_up:], ends[warm_up + 1 :], strict=False)]


def medians(steps: Sequence[Mapping[str, float]], *, digits: int | None) -> dict[str, float]:
    """Return each phase's median over steps."""
    return {phase: round(median(step[phase] for step in steps), digits) for phase in PHASES} if steps else {}
