"""Counterfactuals: what the live policy thinks of, and how it goes on from, completions it did not write."""

from collections.abc import Callable, Sequence

from peft import PeftModel
from transformers import PreTrainedTokenizerBase

from data.problems import Problem
from rewards.satisfaction import mean_satisfied
from rl.credit.faithfulness import Variant, WeightedCompletion
from rl.models.logprobs import token_logprobs
from rl.models.tokenization import decode, encode_prompt
from rl.rollouts.engine_hf import TransformersEngine
from rl.rollouts.types import RolloutRequest
from rl.scoring.reward_functions import verdicts_for

BATCH = 16

Score = Callable[[WeightedCompletion, tuple[int, ...]], float | None]
"""The verdicts' score of a completion of a row's prompt, given as ids."""


class LivePolicy:
    """The policy as it is now, dropout off, its random state left alone."""

    def __init__(self, policy: PeftModel, engine: TransformersEngine, *, score: Score, seed: int):
        self.policy = policy
        self.engine = engine
        self.score = score
        self.seed = seed

    def answer_logprobs(
        self, rows: Sequence[tuple[WeightedCompletion, tuple[int, ...]]], answer: Sequence[int]
    ) -> list[float]:
        """See `faithfulness.CounterfactualPolicy`."""
        found: list[float] = []
        for first in range(0, len(rows), BATCH):
            batch = rows[first : first + BATCH]
            logprobs = token_logprobs(self.policy, [(*row.prompt_ids, *ids) for row, ids in batch])
            for (row, ids), start, values in zip(batch, answer[first : first + BATCH], logprobs, strict=True):
                begin, end = len(row.prompt_ids) + start, len(row.prompt_ids) + len(ids)
                # values[t] is the log-prob of token t + 1.
                found.append(values[begin - 1 : end - 1].sum().item())
        return found

    def verdict_changes(self, variants: Sequence[Variant]) -> list[float | None]:
        """See `faithfulness.CounterfactualPolicy`."""
        changes: list[float | None] = []
        for first in range(0, len(variants), BATCH):
            batch = variants[first : first + BATCH]
            begun = [variant.completion_ids[: variant.end] for variant in batch]
            prompts = tuple((*variant.original.prompt_ids, *start) for variant, start in zip(batch, begun, strict=True))
            unit = RolloutRequest(position=first, prompts=prompts, num_generations=1, version=0, seed=self.seed)
            for variant, start, sample in zip(batch, begun, self.engine.sample(unit), strict=True):
                before = self.score(variant.original, variant.original.completion_ids)
                after = self.score(variant.original, (*start, *sample.completion_ids))
                changes.append(None if before is None or after is None else before - after)
        return changes


def verdict_score(tokenizer: PreTrainedTokenizerBase, problems: Sequence[Problem]) -> Score:
    """The share of a problem's constraints that a completion keeps; None for prompts of no problem known."""
    known = {encode_prompt(tokenizer, [dict(message) for message in problem.messages]): problem for problem in problems}

    def score(row: WeightedCompletion, ids: tuple[int, ...]) -> float | None:
        problem = known.get(row.prompt_ids)
        return None if problem is None else mean_satisfied(verdicts_for(problem, decode(tokenizer, ids)))

    return score
