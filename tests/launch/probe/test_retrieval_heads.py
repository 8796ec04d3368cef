"""Retrieval heads: only tests that the model passes count, and a real model has a few such heads."""

import pytest

from data.needles import needle_test
from launch.probe.retrieval_heads import find_retrieval_heads
from rl.models.load import load_model, load_tokenizer


def test_find_retrieval_heads__none_if_the_model_passes_no_test():
    # `tiny` has random weights.
    tests = [needle_test(seed=0, index=index, num_sentences=2) for index in range(2)]
    heads = find_retrieval_heads(load_model("tiny"), load_tokenizer("tiny"), tests)
    assert heads.recall == 0.0 and heads.scores == {}


@pytest.mark.slow
def test_find_retrieval_heads__a_few_in_the_real_model(smollm2_path):
    # In the paper's models 3 to 6 % of the heads; this one is smaller, its texts are shorter.
    policy, tokenizer = load_model(str(smollm2_path)), load_tokenizer(str(smollm2_path))
    tests = [needle_test(seed=0, index=index, num_sentences=8) for index in range(4)]
    heads = find_retrieval_heads(policy, tokenizer, tests)
    assert heads.recall > 0.5
    assert 1 <= len(heads.scores) <= 0.2 * 30 * 9
    assert list(heads.scores.values()) == sorted(heads.scores.values(), reverse=True)
