"""Thoughts: the columns that rewards get of samples whose thought is apart from their answer."""

from collections.abc import Mapping, Sequence
from typing import Any

from transformers import PreTrainedTokenizerBase

from rl.models.answers import answer_tokens, reasoning_tags, split_answer
from rl.rollouts.types import Sample

UNFINISHED_THOUGHT = "thought"
"""The `finish_reason` of a completion that ended inside its thought, so that it has no answer."""


def thought_columns(tokenizer: PreTrainedTokenizerBase, samples: Sequence[Sample]) -> dict[str, list[Any]]:
    """Return one value a sample: `thought` without its tags, its `thought_tokens`, the text `before_answer` with them.

    The `finish_reason` of one without an end is `thought`. No columns where the model's completions have no thought.
    """
    if reasoning_tags(tokenizer) is None:
        return {}
    splits = [split_answer(tokenizer, one.prompt_ids, one.completion_ids) for one in samples]
    answers = [answer_tokens(tokenizer, one.prompt_ids, one.completion_ids) for one in samples]
    return {
        "thought": [split.thought for split in splits],
        "thought_tokens": [len(answer) - sum(answer) for answer in answers],
        "before_answer": [split.before for split in splits],
        "finish_reason": [
            one.finish_reason if split.finished else UNFINISHED_THOUGHT
            for one, split in zip(samples, splits, strict=True)
        ],
    }


def thought_metrics(columns: Mapping[str, list[Any]], samples: Sequence[Sample]) -> dict[str, float]:
    """Return the mean tokens of thought and of answer, and the share of thoughts without an end."""
    if not columns:
        return {}
    thoughts, total = columns["thought_tokens"], sum(len(one.completion_ids) for one in samples)
    return {
        "completions/thought_tokens": sum(thoughts) / len(samples),
        "completions/answer_tokens": (total - sum(thoughts)) / len(samples),
        "completions/unfinished_thoughts": columns["finish_reason"].count(UNFINISHED_THOUGHT) / len(samples),
    }
