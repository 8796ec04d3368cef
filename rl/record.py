"""The record: the best and the worst completion of each group, as JSON lines a person can read."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from data.problems import from_row, user_text
from rl.journal import Journal
from rl.scoring import completion_text, verdicts_for


@dataclass(frozen=True, kw_only=True, slots=True)
class _Batch:
    """One generation batch, waiting for its credit weights."""

    step: int
    rows: list[dict[str, Any]]
    completions: list
    completion_ids: list[list[int]]
    rewards: list[float]
    weighed: dict[int, tuple[float, list[float]]]
    """Row -> (advantage, weights of its tokens)."""


def best_and_worst(rewards: Sequence[float]) -> tuple[int, int] | None:
    """Indices of the best and the worst completion, or None if all score the same."""
    best, worst = max(rewards), min(rewards)
    return None if best == worst else (rewards.index(best), rewards.index(worst))


class RolloutRecorder:
    """Collects one generation batch at a time and writes it when each row's weights were seen once."""

    def __init__(self, journal: Journal, *, num_generations: int):
        self.journal = journal
        self.num_generations = num_generations
        self._batch: _Batch | None = None

    def begin(self, step: int, rows: list[dict], completions: list, completion_ids: list, rewards: list[float]) -> None:
        """A new generation batch was rewarded; `step` is the optimizer step that it will train."""
        self._batch = _Batch(
            step=step + 1,
            rows=rows,
            completions=completions,
            completion_ids=completion_ids,
            rewards=rewards,
            weighed={},
        )

    def weigh(self, rows: list[int], advantages: list[float], weights: list[list[float]]) -> None:
        """Some rows got their credit weights; the first visit counts."""
        batch = self._batch
        if batch is None:  # a resumed buffer: its completions were recorded before the kill
            return
        for row, advantage, row_weights in zip(rows, advantages, weights, strict=True):
            batch.weighed.setdefault(row, (advantage, row_weights[: len(batch.completion_ids[row])]))
        if len(batch.weighed) == len(batch.rows):
            self.journal.append(*self._lines(batch))
            self._batch = None

    def _lines(self, batch: _Batch) -> list[dict[str, Any]]:
        lines = []
        for first in range(0, len(batch.rows), self.num_generations):
            extremes = best_and_worst(batch.rewards[first : first + self.num_generations])
            for label, offset in zip(("best", "worst"), extremes or (0,), strict=False):
                lines.append({"which": label if extremes else "equal", **_describe(batch, first + offset)})
        return lines


def _describe(batch: _Batch, index: int) -> dict[str, Any]:
    problem = from_row(batch.rows[index])
    text = completion_text(batch.completions[index])
    advantage, weights = batch.weighed[index]
    verdicts = zip(problem.constraints, verdicts_for(problem, text), strict=True)
    return {
        "step": batch.step,
        "problem_id": problem.problem_id,
        "prompt": user_text(problem),
        "completion": text,
        "completion_ids": list(batch.completion_ids[index]),
        "reward": batch.rewards[index],
        "advantage": advantage,
        "weights": [round(weight, 4) for weight in weights],
        "verdicts": [{"id": spec.id, "spans": spec.spans, **asdict(verdict)} for spec, verdict in verdicts],
    }
