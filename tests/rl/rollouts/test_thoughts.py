"""Thoughts: the columns beside a sample's answer, and how long thoughts and answers are."""

import pytest

from data.reasoning import ReasoningTags
from rl.models.answers import set_reasoning
from rl.models.load import load_tokenizer
from rl.rollouts.thoughts import thought_columns, thought_metrics
from rl.rollouts.types import Sample


def sample(tokenizer, text: str, reason="stop") -> Sample:
    ids = tuple(tokenizer(text, add_special_tokens=False)["input_ids"])
    return Sample(prompt_ids=(5, 6), completion_ids=ids, logprobs=(0.0,) * len(ids), finish_reason=reason, version=0)


def test_thought_columns__tell_thought_length_and_whether_there_is_an_answer():
    tokenizer = load_tokenizer("tiny")
    assert thought_columns(tokenizer, [sample(tokenizer, "<think>x</think>y")]) == {}
    set_reasoning(tokenizer, ReasoningTags(start="<think>", end="</think>"))
    texts = ("<think>Green?</think>\nBlue.", "<think>Green?", "Blue.")
    samples = [sample(tokenizer, text) for text in texts]
    columns = thought_columns(tokenizer, samples)
    assert columns["thought"] == ["Green?", "Green?", ""]
    assert columns["before_answer"] == ["<think>Green?</think>\n", "<think>Green?", ""]
    assert columns["finish_reason"] == ["stop", "thought", "stop"]
    answer = len(tokenizer("Blue.")["input_ids"])
    lengths = [len(one.completion_ids) for one in samples]
    assert columns["thought_tokens"] == [lengths[0] - answer, lengths[1], 0]
    metrics = thought_metrics(columns, samples)
    assert metrics["completions/unfinished_thoughts"] == pytest.approx(1 / 3)
    assert metrics["completions/answer_tokens"] == pytest.approx(2 * answer / 3)
    assert metrics["completions/thought_tokens"] == pytest.approx((lengths[0] - answer + lengths[1]) / 3)
