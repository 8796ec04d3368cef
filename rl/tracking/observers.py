"""Observers: the callbacks that log a run, show it and warn about it, from its start to its end."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from transformers import TrainerCallback

from data.problems import Problem
from rl.common.distributed import is_main_process
from rl.config.root import Config
from rl.evaluation.command import evaluate_policy
from rl.evaluation.evaluate import Evaluation
from rl.runs.jsonl import JsonlFile
from rl.tracking.collapse_alarm import CollapseAlarmCallback
from rl.tracking.indicator_alarm import IndicatorAlarm
from rl.tracking.metrics import MetricsCallback, log_metrics, start_trackers
from rl.tracking.periodic_eval import PeriodicEvaluation
from rl.tracking.progress import ProgressCallback, announce
from rl.tracking.standstill_alarm import StandstillAlarm


class Observers:
    """Metrics file, progress, trackers, alarms and held-out curve of one run."""

    def __init__(self, config: Config, folder: Path, console: Console):
        self.config = config
        self.console = console
        self._metrics = JsonlFile(folder / "metrics.jsonl")
        self._progress = ProgressCallback(console)
        self._trackers = start_trackers(config, folder) if is_main_process() else []

    @property
    def callbacks(self) -> list[TrainerCallback]:
        """The callbacks that a trainer is built with; `watch` adds those that need the trainer."""
        return [MetricsCallback(self._metrics), self._progress, *self._trackers]

    def announce(self, phase: str) -> None:
        """Print the phase of the run that begins now."""
        announce(self.console, phase)

    @contextmanager
    def watching(self, trainer: Any) -> Iterator[None]:
        """Give the trackers the trainer's tokenizer and set the alarms for the block; after it the bar has ended."""
        for tracker in self._trackers:
            tracker.spans = trainer.completion_spans
        rewards, log = self.config.rewards, partial(log_metrics, trainer)
        if rewards.collapse_fall is not None and is_main_process():
            trainer.add_callback(CollapseAlarmCallback(rewards, log, self._metrics.path, self.console))
        if rewards.standstill_steps is not None and is_main_process():
            alarm = StandstillAlarm(rewards.standstill_steps, log, self._metrics.path, self.console)
            trainer.add_callback(alarm)
        probe = self.config.probe
        if probe.indicators and probe.indicator_change is not None and is_main_process():
            trainer.add_callback(IndicatorAlarm(probe.indicator_change, log, self._metrics.path, self.console))
        try:
            yield
        finally:
            self._progress.stop()

    def follow_held_out(self, trainer: Any, problems: Sequence[Problem], before: Evaluation | None) -> None:
        """Show the base model's pass rate, and evaluate the policy every `evaluation.every` steps."""
        self._progress.held_out = before and before.summary()["pass_rate"]
        if every := self.config.evaluation.every:
            policy, tokenizer = trainer.policy, trainer.policy_tokenizer

            def evaluate() -> Evaluation:
                return evaluate_policy(self.config, policy, tokenizer, problems, trainer.answer_held_out())

            log = partial(log_metrics, trainer)
            trainer.add_callback(PeriodicEvaluation(evaluate, log, every=every, progress=self._progress))

    def finish(self, adapter: Path | None = None, summary: dict[str, Any] | None = None) -> None:
        """Close the trackers; a run that is done hands them its adapter and its summary."""
        for tracker in self._trackers:
            tracker.finish(adapter, summary)
