"""The record: the best and the worst completion of each group, as JSON lines a person can read."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from data.problems import user_text
from rl.runs.jsonl import JsonlFile
from rl.scoring.scorer import ScoredCompletion

# Axes: B completions of a micro-batch, C constraints, T completion tokens.


@dataclass(frozen=True, kw_only=True, slots=True)
class _Batch:
    """One generation batch, waiting for its credit weights."""

    step: int
    scored: Sequence[ScoredCompletion]
    completion_ids: list[list[int]]
    rewards: list[float]
    shown: dict[int, str]
    """Row -> `best` or `worst` of its group, or `equal`."""
    seen: dict[int, "_Seen"] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Seen:
    """What one completion got, and what was read of it."""

    advantage: float
    tokens: dict[str, list[float]]
    """Name -> one value a token."""
    attention: list[list[float]]
    """For each constraint, what each token pays to it; empty where nobody listened."""


def best_and_worst(rewards: Sequence[float]) -> tuple[int, int] | None:
    """Indices of the best and the worst completion, or None if all score the same."""
    scored = [reward for reward in rewards if not math.isnan(reward)]
    if not scored or max(scored) == min(scored):
        return None
    return rewards.index(max(scored)), rewards.index(min(scored))


def shown_rows(rewards: Sequence[float], num_generations: int) -> dict[int, str]:
    """Row -> what it is to its group; groups are adjacent, and one whose rewards are all alike shows its first."""
    shown = {}
    for first in range(0, len(rewards), num_generations):
        extremes = best_and_worst(rewards[first : first + num_generations])
        labels = {first: "equal"} if extremes is None else {first + extremes[0]: "best", first + extremes[1]: "worst"}
        shown |= labels
    return shown


class RolloutRecorder:
    """Collects one generation batch at a time and writes it when each row to be shown was visited once."""

    def __init__(self, log_file: JsonlFile, *, num_generations: int):
        self.log_file = log_file
        self.num_generations = num_generations
        self._batch: _Batch | None = None

    def begin(
        self, step: int, scored: Sequence[ScoredCompletion], completion_ids: list[list[int]], rewards: list[float]
    ) -> None:
        """A new generation batch was rewarded; `step` is the optimizer step that it will train."""
        self._batch = _Batch(
            step=step + 1,
            scored=scored,
            completion_ids=completion_ids,
            rewards=rewards,
            shown=shown_rows(rewards, self.num_generations),
        )

    def see(
        self,
        rows: list[int],
        advantages: list[float],
        tokens: Mapping[str, Shaped[Tensor, "B T"]],
        attention: Float[Tensor, "B C T"] | None = None,
    ) -> None:
        """Some rows were visited: their `tokens`, `weights` among them, and attention to each constraint are known.

        The first visit counts.
        """
        batch = self._batch
        if batch is None:  # a resumed buffer: what it had not recorded before the kill is not recorded
            return
        for place, row in enumerate(rows):
            if row in batch.shown and row not in batch.seen:
                length = len(batch.completion_ids[row])
                values = torch.stack([value[place, :length].float() for value in tokens.values()])
                batch.seen[row] = _Seen(
                    advantage=advantages[place],
                    tokens=dict(zip(tokens, _in_short(values), strict=True)),
                    attention=[] if attention is None else _in_short(attention[place, :, :length]),
                )
        if len(batch.seen) == len(batch.shown):
            self.log_file.append(*({"which": which, **_describe(batch, row)} for row, which in batch.shown.items()))
            self._batch = None


def _in_short(values: Tensor) -> list[list[float]]:
    return [[float(f"{value:.4g}") for value in row] for row in values.tolist()]


def _describe(batch: _Batch, index: int) -> dict[str, Any]:
    scored, seen = batch.scored[index], batch.seen[index]
    problem = scored.problem
    verdicts = [
        {"id": spec.id, "spans": spec.spans, **asdict(verdict)}
        for spec, verdict in zip(problem.constraints, scored.verdicts, strict=True)
    ]
    for verdict, curve in zip(verdicts, seen.attention, strict=False):  # other prompts may have more constraints
        if any(curve):  # else no token of the prompt states it
            verdict["attention"] = curve
    return {
        "step": batch.step,
        "problem_id": problem.problem_id,
        "prompt": user_text(problem),
        "completion": scored.text,
        "completion_ids": list(batch.completion_ids[index]),
        "reward": batch.rewards[index],
        "advantage": seen.advantage,
        **seen.tokens,
        "verdicts": verdicts,
    }
