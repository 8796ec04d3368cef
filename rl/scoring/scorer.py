"""Scorer: the verdicts and guard values of a batch of completions, worked out once for rewards, credit and recorder."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from data.problems import Problem, from_row
from data.verdicts import verdicts_for
from rewards.guards import distinct_words
from rewards.verdict import Verdict
from rl.config.rewards import RewardsConfig, constraint_names
from rl.scoring.guard_values import LogProbs, fluency_values, guard_values

LogMetric = Callable[[str, float], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class ScoredCompletion:
    """One completion of a problem, with the findings of its verifiers and guards.

    Example:
        ScoredCompletion(problem=problem, text="Rain, rain.", verdicts=(verdict,), guard_values={"prose": 1.0})
    """

    problem: Problem
    text: str
    """What is judged: the completion, or its answer where a thought stands before it."""
    verdicts: tuple[Verdict, ...]
    """One for each constraint of the problem, in order; their evidence is of the text."""
    guard_values: Mapping[str, float] = field(default_factory=dict)
    """Empty where constraints earn nothing."""
    before: str = ""
    """What stands before the text in the completion: a thought with its tags."""


class BatchScorer:
    """Scores each batch of completions once, for all rewards and then for credit and the recorder."""

    def __init__(self, rewards: RewardsConfig, *, log_probs: LogProbs | None = None):
        self.rewards = rewards
        self.log_probs = log_probs
        self._latest: tuple[Sequence, list[ScoredCompletion]] | None = None

    def score(
        self, rows: Sequence[Mapping[str, Any]], completions: Sequence, log_metric: LogMetric | None = None
    ) -> list[ScoredCompletion]:
        """Score the completions of `rows`, or return what the same list of completions scored before.

        The first time, `log_metric` gets `constraint/{kind}/pass_rate` for every kind in the batch, the mean of every
        guard as `guard/{name}`, and `completions/distinct_words`.
        """
        if self._latest is None or self._latest[0] is not completions:
            self._latest = completions, self._scored(rows, [completion_text(text) for text in completions])
            if log_metric is not None:
                log_scores(self._latest[1], log_metric)
        return self._latest[1]

    def _scored(self, rows: Sequence[Mapping[str, Any]], texts: list[str]) -> list[ScoredCompletion]:
        problems = [from_row(row) for row in rows]
        # A row has these columns from its rollout; `thought` is the reason of one that ended inside its thought.
        finished = [row.get("finish_reason") not in ("length", "thought") for row in rows]
        before = [str(row.get("before_answer") or "") for row in rows]
        values = self._guard_values(problems, texts, finished)
        return [
            ScoredCompletion(
                problem=problem,
                text=text,
                verdicts=verdicts_for(problem, text),
                guard_values=row_values,
                before=row_before,
            )
            for problem, text, row_values, row_before in zip(problems, texts, values, before, strict=True)
        ]

    def _guard_values(self, problems: list[Problem], texts: list[str], finished: list[bool]) -> list[dict[str, float]]:
        if not constraint_names(self.rewards):
            return [{} for _ in texts]
        values = [
            guard_values(text, problem, self.rewards, finished=done)
            for text, problem, done in zip(texts, problems, finished, strict=True)
        ]
        if "fluent" in self.rewards.guards:
            fluency = fluency_values(problems, texts, self.rewards, self.log_probs)
            values = [row | {"fluent": value} for row, value in zip(values, fluency, strict=True)]
        return values


def log_scores(batch: Sequence[ScoredCompletion], log_metric: LogMetric) -> None:
    """Log the batch's pass rate by kind, its mean guard values and its share of distinct words."""
    outcomes: dict[str, list[float]] = defaultdict(list)
    for scored in batch:
        for spec, verdict in zip(scored.problem.constraints, scored.verdicts, strict=True):
            if verdict.satisfied is not None:
                outcomes[f"constraint/{spec.id}/pass_rate"].append(float(verdict.satisfied))
        for name, value in scored.guard_values.items():
            outcomes[f"guard/{name}"].append(value)
        outcomes["completions/distinct_words"].append(distinct_words(scored.text, floor=1.0))
    for name, values in sorted(outcomes.items()):
        log_metric(name, sum(values) / len(values))


def completion_text(completion: str | list[dict[str, str]]) -> str:
    """Return the text of a completion that is a string or chat messages."""
    return completion if isinstance(completion, str) else completion[-1]["content"]
