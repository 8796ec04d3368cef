"""Needle tests: each needle occurs once, at its span, and test i depends on seed and i alone."""

import pytest

from data.needles import needle_test


@pytest.mark.parametrize("index", range(20))
def test_needle_test__needle_occurs_once_at_its_span(index):
    test = needle_test(seed=3, index=index)
    start, stop = test.needle
    assert test.prompt[start:stop] == test.copied
    assert test.prompt.count(test.copied) == 1
    assert test.prompt[:start].endswith(test.opening)


def test_needle_test__depends_on_seed_and_index_only():
    assert needle_test(seed=1, index=7) == needle_test(seed=1, index=7)
    assert len({needle_test(seed=seed, index=index).prompt for seed in (1, 2) for index in range(10)}) == 20


def test_needle_test__needles_lie_at_every_depth():
    # Two other sentences: before both, between them, behind both.
    tests = [needle_test(seed=0, index=index, num_sentences=2) for index in range(30)]
    assert {test.prompt[: test.needle[0]].count(".") for test in tests} == {0, 1, 2}


def test_needle_test__text_without_sentences_is_an_error():
    with pytest.raises(ValueError, match="num_sentences must be at least 1"):
        needle_test(seed=0, index=0, num_sentences=0)
