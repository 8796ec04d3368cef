"""Rollout recorder: writes the best and the worst completion of each group as JSON lines that a person can read."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import islice
from typing import Any

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from data.problems import user_text
from rl.runs.jsonl import JsonlFile
from rl.scoring.scorer import ScoredCompletion

# Axes: B completions of a micro-batch, C constraints, T completion tokens, R rows of values, F all of a record.


@dataclass(frozen=True, kw_only=True, slots=True)
class _TokenRecord:
    """What credit assigned to one completion, and what it was decided by."""

    advantage: float
    tokens: dict[str, list[float]]
    """Name -> one value a token."""
    attention: list[list[float]]
    """For each constraint, the attention that each token pays to it; empty when attention was not recorded."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Waiting:
    """A record whose numbers are still on the device."""

    advantage: Float[Tensor, " 1"]
    names: tuple[str, ...]
    values: Float[Tensor, "R T"]
    """A row for each name, then one for each constraint's attention."""

    def flat(self) -> Float[Tensor, " F"]:
        return torch.cat([self.advantage, self.values.flatten()])

    def record(self, numbers: Sequence[float]) -> _TokenRecord:
        """Return the record of the numbers that `flat` holds."""
        rounded = [float(f"{number:.4g}") for number in numbers[1:]]
        count, length = self.values.shape
        rows = [rounded[index * length : (index + 1) * length] for index in range(count)]
        tokens = dict(zip(self.names, rows, strict=False))  # attention follows
        return _TokenRecord(advantage=numbers[0], tokens=tokens, attention=rows[len(self.names) :])


@dataclass(frozen=True, kw_only=True, slots=True)
class _Batch:
    """One generation batch that waits for its credit weights."""

    step: int
    scored: Sequence[ScoredCompletion]
    completion_ids: list[list[int]]
    rewards: list[float]
    """NaN for a completion without any."""
    labels: dict[int, str]
    """Row -> `best`, `worst` or `equal`, of the rows to be written."""
    waiting: dict[int, _Waiting] = field(default_factory=dict)


def best_and_worst(rewards: Sequence[float]) -> tuple[int, int] | None:
    """Return the indices of the best and the worst completion, or None if all score the same."""
    scored = [reward for reward in rewards if not math.isnan(reward)]
    if not scored or max(scored) == min(scored):
        return None
    return rewards.index(max(scored)), rewards.index(min(scored))


def label_rows(rewards: Sequence[float], num_generations: int) -> dict[int, str]:
    """Label the best and the worst row of each group, or its first row `equal` when all rewards are alike.

    Rows of a group are adjacent.
    """
    labels: dict[int, str] = {}
    for first in range(0, len(rewards), num_generations):
        extremes = best_and_worst(rewards[first : first + num_generations])
        if extremes is None:
            labels[first] = "equal"
        else:
            labels |= {first + extremes[0]: "best", first + extremes[1]: "worst"}
    return labels


class RolloutRecorder:
    """Collects one generation batch at a time and writes it once every labelled row has been trained on."""

    def __init__(self, log_file: JsonlFile, *, num_generations: int):
        self.log_file = log_file
        self.num_generations = num_generations
        self._batch: _Batch | None = None

    def begin_batch(
        self, step: int, scored: Sequence[ScoredCompletion], completion_ids: list[list[int]], rewards: list[float]
    ) -> None:
        """Start on the generation batch that optimizer step `step`, counted from 1, begins to train."""
        self._batch = _Batch(
            step=step,
            scored=scored,
            completion_ids=completion_ids,
            rewards=rewards,
            labels=label_rows(rewards, self.num_generations),
        )

    def record(
        self,
        rows: list[int],
        advantages: Float[Tensor, " B"],
        tokens: Mapping[str, Shaped[Tensor, "B T"]],
        attention: Float[Tensor, "B C T"] | None = None,
    ) -> None:
        """Record the values per token (`weights` among them) and the attention of some rows, at their first visit.

        Nothing is fetched from the device before the batch is complete, and then all of it at once.
        """
        batch = self._batch
        if batch is None:  # a buffer that was begun before a resume
            return
        for index, row in enumerate(rows):
            if row in batch.labels and row not in batch.waiting:
                length = len(batch.completion_ids[row])
                values = torch.stack([value[index, :length].float() for value in tokens.values()])
                if attention is not None:
                    values = torch.cat([values, attention[index, :, :length]])
                advantage = advantages[index : index + 1]
                batch.waiting[row] = _Waiting(advantage=advantage, names=tuple(tokens), values=values)
        if len(batch.waiting) == len(batch.labels):
            records = _fetched(batch.waiting)
            self.log_file.append(
                *({"which": label, **_line(batch, row, records[row])} for row, label in batch.labels.items())
            )
            self._batch = None


def _fetched(waiting: Mapping[int, _Waiting]) -> dict[int, _TokenRecord]:
    """Bring the records to the host, by one transfer."""
    numbers = iter(torch.cat([one.flat() for one in waiting.values()]).tolist())
    return {row: one.record(list(islice(numbers, 1 + one.values.numel()))) for row, one in waiting.items()}


def _line(batch: _Batch, row: int, record: _TokenRecord) -> dict[str, Any]:
    scored = batch.scored[row]
    problem = scored.problem
    verdicts = [
        {"id": spec.id, "spans": spec.spans, **asdict(verdict.shifted(len(scored.before)))}
        for spec, verdict in zip(problem.constraints, scored.verdicts, strict=True)
    ]
    for verdict, attention in zip(verdicts, record.attention, strict=False):  # padded to the most constraints
        if any(attention):  # all zero where no token of the prompt states the constraint
            verdict["attention"] = attention
    return {
        "step": batch.step,
        "problem_id": problem.problem_id,
        "prompt": user_text(problem),
        "completion": scored.before + scored.text,
        **({"answer_start": len(scored.before)} if scored.before else {}),
        "completion_ids": list(batch.completion_ids[row]),
        "reward": None if math.isnan(batch.rewards[row]) else batch.rewards[row],
        "advantage": record.advantage,
        **record.tokens,
        "verdicts": verdicts,
    }
