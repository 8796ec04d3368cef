"""Amounts: numbers in plain English and their bounds."""

import pytest

from data.muldimif.amounts import bound, find_amount


@pytest.mark.parametrize(
    ("text", "noun", "amount"),
    [
        ("The answer must be at most 50 words long", "words?", (0, 50)),
        ("no more than five rows", "rows?", (0, 5)),
        ("must not exceed 1,500 words", "words?", (0, 1500)),
        ("not exceeding a total of 15 paragraphs", "paragraphs?", (0, 15)),
        ("it should not have more than three rows", "rows?", (0, 3)),
        ("limited to at most ten sentences", "sentences?", (0, 10)),
        ("a maximum length of 150 words", "words?", (0, 150)),
        ("at least one complete sentence", "sentences?", (1, None)),
        ("a minimum of 10 sentences", "sentences?", (10, None)),
        ("no fewer than 5 sentences", "sentences?", (5, None)),
        ("more than 3 sentences", "sentences?", (4, None)),
        ("fewer than 3 sentences", "sentences?", (0, 2)),
        ("between 3 to 5 sentences", "sentences?", (3, 5)),
        ("a range of 10 to 15 paragraphs", "paragraphs?", (10, 15)),
        ("between 50 and 100 words and include at least 5 sentences", "sentences?", (5, None)),
        ("a single paragraph", "paragraphs?", (1, 1)),
        ("exactly twelve rows", "rows?", (12, 12)),
        ("at least two different heading levels", "levels?", (2, None)),
        ("no more than 3 rows and 2 columns", "columns?", (2, 2)),
        ("in full sentences", "sentences?", None),
        ("a table of 3 rows", "columns?", None),
    ],
)
def test_find_amount__has_two_ends(text, noun, amount):
    assert find_amount(text, noun) == amount


@pytest.mark.parametrize(
    ("amount", "kwargs"),
    [
        ((2, None), {"n": 2, "relation": "at least"}),
        ((0, 5), {"n": 5, "relation": "at most"}),
        ((3, 3), {"n": 3, "relation": "exactly"}),
    ],
)
def test_bound__amount_becomes_a_relation(amount, kwargs):
    assert bound("n", amount) == kwargs
