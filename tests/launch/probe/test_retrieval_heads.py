"""Retrieval heads: only tests that the model itself passes count, and a real model has a few such heads."""

import pytest

from data.needles import needle_test
from launch.probe.retrieval_heads import find_retrieval_heads
from rl.models.load import load_model, load_tokenizer


def test_a_model_that_finds_no_needle_has_no_retrieval_heads():
    # `tiny` has random weights.
    tests = [needle_test(seed=0, index=index, num_sentences=2) for index in range(2)]
    found = find_retrieval_heads(load_model("tiny"), load_tokenizer("tiny"), tests)
    assert found.recall == 0.0 and found.scores == {}


@pytest.mark.slow
def test_a_few_heads_of_the_real_model_retrieve(smollm2_path):
    # In the paper's models 3 to 6 % of the heads; this one is smaller, its texts are shorter.
    policy, tokenizer = load_model(str(smollm2_path)), load_tokenizer(str(smollm2_path))
    tests = [needle_test(seed=0, index=index, num_sentences=8) for index in range(4)]
    found = find_retrieval_heads(policy, tokenizer, tests)
    assert found.recall > 0.5
    assert 1 <= len(found.scores) <= 0.2 * 30 * 9
    assert list(found.scores.values()) == sorted(found.scores.values(), reverse=True)
