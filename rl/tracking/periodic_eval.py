"""Held-out curve: the policy scored every so many steps, while it trains."""

from collections.abc import Callable
from typing import Any

from transformers import TrainerCallback

from rl.evaluation.evaluate import Evaluation
from rl.runs.jsonl import JsonlFile
from rl.tracking.progress import ProgressCallback

LOGGED = ("pass_rate", "all_satisfied", "mean_words", "distinct_share", "on_topic", "not_echo")


class PeriodicEvaluation(TrainerCallback):
    """Adds a line `eval/...` to the metrics. Greedy or seeded answers draw nothing from the training's randomness."""

    def __init__(self, score: Callable[[], Evaluation], *, every: int, metrics: JsonlFile, progress: ProgressCallback):
        self.score = score
        self.every = every
        self.metrics = metrics
        self.progress = progress

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        # the last step is scored anyway, when the run concludes
        if state.global_step % self.every or state.global_step == state.max_steps:
            return
        summary = self.score().summary()
        self.progress.held_out = summary["pass_rate"]
        if not state.is_world_process_zero:
            return
        self.metrics.append({"step": state.global_step, **{f"eval/{name}": summary[name] for name in LOGGED}})
