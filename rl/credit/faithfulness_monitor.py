"""The watch: on a schedule, asks whether the rule's weights are faithful, and stops trusting a rule that is not."""

from collections.abc import Callable
from typing import Any

from torch import Tensor

from rl.config.credit import FaithfulnessConfig
from rl.credit.faithfulness import CounterfactualPolicy, FaithfulnessResult, WeightedCompletion, check


class FaithfulnessMonitor:
    """Gathers completions of each `every`-th optimizer step and judges the rule by them."""

    def __init__(
        self,
        settings: FaithfulnessConfig,
        *,
        ask: Callable[[Any], CounterfactualPolicy],
        say: Callable[[str], None],
        rule: str,
    ):
        self.settings = settings
        self.ask = ask
        self.say = say
        self.rule = rule
        self._gathered: list[WeightedCompletion] = []

    def due(self, step: int) -> bool:
        """Whether optimizer step `step`, counted from 0, is one to look at."""
        return bool(self.settings.every) and (step + 1) % self.settings.every == 0

    def collect(self, prompts: Tensor, prompt_mask: Tensor, ids: Tensor, mask: Tensor, weights: Tensor) -> None:
        """Take completions of a micro-batch, as many as are still wanted."""
        rows = zip(prompts, prompt_mask.bool(), ids, mask.bool(), weights, strict=True)
        for prompt, stated, completion, real, row_weights in rows:
            if len(self._gathered) < self.settings.completions and bool(real.any()):
                self._gathered.append(
                    WeightedCompletion(
                        prompt_ids=tuple(prompt[stated].tolist()),
                        completion_ids=tuple(completion[real].tolist()),
                        weights=tuple(row_weights[real].tolist()),
                    )
                )

    def evaluate(self, policy: Any, *, step: int) -> FaithfulnessResult:
        """The finding about what was gathered, said in one line; `ask` makes of `policy` whom to ask."""
        gathered, self._gathered = self._gathered, []
        finding = check(self.ask(policy), gathered, self.settings, seed=step)
        self.say(verdict_line(self.rule, finding, self.settings, step=step + 1))
        return finding


def verdict_line(rule: str, finding: FaithfulnessResult, settings: FaithfulnessConfig, *, step: int) -> str:
    """What a person is told."""
    interval = finding.logprob if settings.measure == "logprob" else finding.verdict
    if interval is None:
        measured = "no completion was long enough to compare spans"
    else:
        measured = f"{settings.measure} effect {interval.mean:+.3f} [{interval.low:+.3f}, {interval.high:+.3f}]"
    outcome = "kept" if finding.faithful else f"uniform until step {step + settings.every}"
    return f"step {step}: is {rule} faithful? {measured} over {finding.num_completions} completions: {outcome}"
