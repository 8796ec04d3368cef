"""Faithfulness monitor: checks on a schedule whether a rule's weights are faithful, so that a run can disable it."""

from collections.abc import Callable
from typing import Any

from torch import Tensor

from rl.config.credit import FaithfulnessConfig
from rl.credit.faithfulness import CounterfactualPolicy, FaithfulnessResult, WeightedCompletion, check


class FaithfulnessMonitor:
    """Collects completions of each `every`-th optimizer step and checks the rule on them."""

    def __init__(
        self,
        settings: FaithfulnessConfig,
        *,
        wrap_policy: Callable[[Any], CounterfactualPolicy],
        report: Callable[[str], None],
        rule: str,
    ):
        self.settings = settings
        self.wrap_policy = wrap_policy
        self.report = report
        self.rule = rule
        self._collected: list[WeightedCompletion] = []

    def due(self, step: int) -> bool:
        """Return whether optimizer step `step`, counted from 0, is checked."""
        return bool(self.settings.every) and (step + 1) % self.settings.every == 0

    def collect(self, prompts: Tensor, prompt_mask: Tensor, ids: Tensor, mask: Tensor, weights: Tensor) -> None:
        """Add completions of a micro-batch until there are enough for a check."""
        columns = (prompts, prompt_mask.bool(), ids, mask.bool(), weights)
        rows = zip(*(column.cpu() for column in columns), strict=True)
        for prompt, prompt_real, completion, real, row_weights in rows:
            if len(self._collected) < self.settings.completions and bool(real.any()):
                self._collected.append(
                    WeightedCompletion(
                        prompt_ids=tuple(prompt[prompt_real].tolist()),
                        completion_ids=tuple(completion[real].tolist()),
                        weights=tuple(row_weights[real].tolist()),
                    )
                )

    def evaluate(self, policy: Any, *, step: int) -> FaithfulnessResult:
        """Check the collected completions with `policy`, and report the result in one line."""
        completions, self._collected = self._collected, []
        result = check(self.wrap_policy(policy), completions, self.settings, seed=step)
        self.report(result_line(self.rule, result, self.settings, step=step + 1))
        return result


def result_line(rule: str, result: FaithfulnessResult, settings: FaithfulnessConfig, *, step: int) -> str:
    """Return the result of a check as one line for the console."""
    interval = result.logprob if settings.measure == "logprob" else result.verdict
    if interval is None:
        measured = "no completion was long enough to compare spans"
    else:
        measured = f"{settings.measure} effect {interval.mean:+.3f} [{interval.low:+.3f}, {interval.high:+.3f}]"
    outcome = "kept" if result.faithful else f"uniform until step {step + settings.every}"
    return f"step {step}: is {rule} faithful? {measured} over {result.num_completions} completions: {outcome}"
