"""Counterfactuals: log-probs and continuations by the live policy of completions that it did not write."""

from collections.abc import Callable, Sequence

from peft import PeftModel
from transformers import PreTrainedTokenizerBase

from data.problems import Problem
from data.verdicts import verdicts_for
from rewards.satisfaction import mean_satisfied
from rl.credit.faithfulness import Variant, WeightedCompletion
from rl.models.answers import answer_text
from rl.models.logprobs import token_logprobs
from rl.models.tokenization import encode_prompt
from rl.rollouts.engine_hf import TransformersEngine
from rl.rollouts.types import RolloutRequest

BATCH = 16

Score = Callable[[WeightedCompletion, tuple[int, ...]], float | None]
"""Share of its constraints that a completion, given as ids, satisfies for a row's prompt; None if none applies."""


class LivePolicy:
    """The policy as it is now, without dropout; its random state does not change."""

    def __init__(self, policy: PeftModel, engine: TransformersEngine, *, score: Score, seed: int):
        self.policy = policy
        self.engine = engine
        self.score = score
        self.seed = seed

    def answer_logprobs(
        self, rows: Sequence[tuple[WeightedCompletion, tuple[int, ...]]], answer: Sequence[int]
    ) -> list[float]:
        """See `faithfulness.CounterfactualPolicy`."""
        answer_logprobs: list[float] = []
        for first in range(0, len(rows), BATCH):
            batch = rows[first : first + BATCH]
            logprobs = token_logprobs(self.policy, [(*row.prompt_ids, *ids) for row, ids in batch]).cpu()
            for (row, ids), start, values in zip(batch, answer[first : first + BATCH], logprobs, strict=True):
                begin, end = len(row.prompt_ids) + start, len(row.prompt_ids) + len(ids)
                # values[t] is the log-prob of token t + 1
                answer_logprobs.append(values[begin - 1 : end - 1].sum().item())
        return answer_logprobs

    def verdict_changes(self, variants: Sequence[Variant]) -> list[float | None]:
        """See `faithfulness.CounterfactualPolicy`."""
        changes: list[float | None] = []
        originals = {id(variant.original): variant.original for variant in variants}
        scores = {key: self.score(original, original.completion_ids) for key, original in originals.items()}
        for first in range(0, len(variants), BATCH):
            batch = variants[first : first + BATCH]
            starts = [variant.completion_ids[: variant.end] for variant in batch]
            pairs = list(zip(batch, starts, strict=True))
            prompts = tuple((*variant.original.prompt_ids, *start) for variant, start in pairs)
            request = RolloutRequest(position=first, prompts=prompts, num_generations=1, version=0, seed=self.seed)
            for (variant, start), sample in zip(pairs, self.engine.sample(request), strict=True):
                before = scores[id(variant.original)]
                after = self.score(variant.original, (*start, *sample.completion_ids))
                changes.append(None if before is None or after is None else before - after)
        return changes


def verdict_score(tokenizer: PreTrainedTokenizerBase, problems: Sequence[Problem]) -> Score:
    """Return a score by the verdicts; it is None for prompts that none of the problems has."""
    known = {encode_prompt(tokenizer, [dict(message) for message in problem.messages]): problem for problem in problems}

    def score(row: WeightedCompletion, ids: tuple[int, ...]) -> float | None:
        problem = known.get(row.prompt_ids)
        text = answer_text(tokenizer, row.prompt_ids, ids)
        return None if problem is None else mean_satisfied(verdicts_for(problem, text))

    return score
