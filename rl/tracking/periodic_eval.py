"""Periodic evaluation: the policy answers the held-out problems every so many steps, while it trains."""

from collections.abc import Callable
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState

from rl.evaluation.console import rate_text
from rl.evaluation.evaluate import Evaluation
from rl.tracking.progress import ProgressCallback, announce

LOGGED = ("pass_rate", "all_satisfied", "mean_words", "distinct_share", "on_topic", "not_echo")


class PeriodicEvaluation(TrainerCallback):
    """Logs `eval/...`. Greedy or seeded answers draw nothing from the training's random numbers."""

    def __init__(
        self,
        evaluate: Callable[[], Evaluation],
        log: Callable[[dict[str, Any]], None],
        *,
        every: int,
        progress: ProgressCallback,
    ):
        self.evaluate = evaluate
        self.log = log
        self.every = every
        self.progress = progress

    def on_step_end(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        # the last step is evaluated anyway, at the end of the run
        if state.global_step % self.every or state.global_step == state.max_steps:
            return
        evaluation = self.evaluate()
        summary = evaluation.summary()
        self.progress.held_out = summary["pass_rate"]
        rate = f"{rate_text(summary['pass_rate'])} ({len(evaluation.answers)} answers)"
        announce(self.progress.console, f"Held-out pass rate at step {state.global_step}: {rate}")
        rates = {f"eval_{name}": summary[name] for name in LOGGED if summary[name] is not None}
        self.log(rates | {f"eval_rewards/{name}": mean for name, mean in summary["rewards"].items()})
