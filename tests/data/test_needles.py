"""Needles: each is where its span says, once, and item i depends on seed and i alone."""

import pytest

from data.needles import needle_test


@pytest.mark.parametrize("index", range(20))
def test_the_needle_stands_once_in_the_prompt_where_its_span_says(index):
    test = needle_test(seed=3, index=index)
    start, stop = test.needle
    assert test.prompt[start:stop] == test.copied
    assert test.prompt.count(test.copied) == 1
    assert test.prompt[:start].endswith(test.opening)


def test_a_test_depends_on_its_seed_and_index_only():
    assert needle_test(seed=1, index=7) == needle_test(seed=1, index=7)
    assert len({needle_test(seed=seed, index=index).prompt for seed in (1, 2) for index in range(10)}) == 20


def test_needles_lie_at_every_depth():
    # Two sentences of hay: before both, between them, behind both.
    tests = [needle_test(seed=0, index=index, num_sentences=2) for index in range(30)]
    assert {test.prompt[: test.needle[0]].count(".") for test in tests} == {0, 1, 2}


def test_a_text_without_sentences_is_refused():
    with pytest.raises(ValueError, match="num_sentences must be at least 1"):
        needle_test(seed=0, index=0, num_sentences=0)
