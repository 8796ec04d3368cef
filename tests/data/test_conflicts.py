"""Conflicts: constraints that must not stand in one prompt, and those that may."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data import answer_regions as regions
from data.conflicts import bounds, conflict
from data.constraints import GENERAL_KINDS, KINDS, SHORT_KINDS
from data.instructions import instructions
from data.witness import witness
from rewards.verifiers import verify

LOWERCASE = ("change_case:english_lowercase", {})
CAPITALS = ("change_case:english_capital", {})
QUOTES = ("startend:quotation", {})
QUESTION = ("content:ends_with_mark", {"mark": "?"})
CLOSING = ("startend:end_checker", {"end_phrase": "Good luck!"})
ONE_SENTENCE = ("length:sentence_range", {"minimum": 1, "maximum": 1})
FEW_WORDS = ("length:word_range", {"minimum": 5, "maximum": 10})


@pytest.mark.parametrize(
    ("first", "second", "reason"),
    [
        (LOWERCASE, CAPITALS, "two rules about letter case"),
        (LOWERCASE, ("content:starts_with", {"phrase": "Well"}), "another case is required"),
        (QUOTES, QUESTION, "two rules about the last character"),
        (QUESTION, CLOSING, "the last phrase has another mark"),
        (ONE_SENTENCE, CLOSING, "a sentence of its own"),
        (("content:exclude_mark", {"mark": "!"}), CLOSING, "a required letter or mark is excluded"),
        (
            ("keywords:forbidden_words", {"forbidden_words": ["luck"]}),
            CLOSING,
            "a required word is forbidden",
        ),
        (
            ("keywords:letter_frequency", {"letter": "o", "let_frequency": 2, "let_relation": "less than"}),
            CLOSING,
            "the letter too often",
        ),
        (FEW_WORDS, ("length:sentence_range", {"minimum": 3, "maximum": 4}), "more sentences than the words allow"),
        (
            ONE_SENTENCE,
            ("length_constraints:number_sentences", {"num_sentences": 2, "relation": "at least"}),
            "no sentence",
        ),
        (FEW_WORDS, ("length:word_range", {"minimum": 5, "maximum": 10}), "the same rule twice"),
    ],
)
def test_conflict__has_a_reason_in_either_order(first, second, reason):
    assert reason in conflict(first, second)
    assert conflict(first, second) == conflict(second, first)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (QUESTION, ("startend:end_checker", {"end_phrase": "Any questions?"})),
        (("keywords:forbidden_words", {"forbidden_words": ["good"]}), ("keywords:existence", {"keywords": ["goods"]})),
        (FEW_WORDS, ("length:sentence_range", {"minimum": 1, "maximum": 2})),
        (ONE_SENTENCE, ("length_constraints:number_sentences", {"num_sentences": 2, "relation": "less than"})),
        (("keywords:existence", {"keywords": ["sea"]}), ("keywords:existence", {"keywords": ["sky"]})),
    ],
)
def test_conflict__compatible_constraints_have_none(first, second):
    assert conflict(first, second) is None


@pytest.mark.parametrize(
    ("kwargs", "expected"),
    [
        ({"minimum": 2, "maximum": 5}, (2, 5)),
        ({"num_words": 7, "relation": "at least"}, (7, None)),
        ({"num_words": 7, "relation": "less than"}, (0, 6)),
        ({"num_words": 7, "relation": "at most"}, (0, 7)),
        ({"num_words": 7, "relation": "exactly"}, (7, 7)),
    ],
)
def test_bounds__of_length_constraints(kwargs, expected):
    assert bounds(kwargs) == expected


@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_witness__exists_for_two_constraints_without_conflict(data):
    """Among the kinds of the quickstart the rules miss no pair: a text satisfies every pair without a conflict."""
    rng = data.draw(st.randoms(use_true_random=False))
    instruction = rng.choice(instructions("train"))
    first, second = ((kind, KINDS[kind].draw(rng, instruction)) for kind in rng.sample(SHORT_KINDS, 2))
    if conflict(first, second) is None:
        assert witness([first, second]) is not None, (first, second)


@pytest.mark.parametrize("kind", GENERAL_KINDS)
def test_witness__exists_for_every_kind(kind):
    for seed in range(3):
        rng = Random(seed)
        constraint = (kind, KINDS[kind].draw(rng, rng.choice(instructions("train"))))
        text = witness([constraint])
        assert text is not None
        assert verify(kind, text, prompt="", **constraint[1]).satisfied is not False


def test_answer_regions__name_known_kinds():
    named = {kind for region in vars(regions).values() if isinstance(region, frozenset) for kind in region}
    assert named and named <= set(KINDS)


def test_witness__does_not_exist_for_conflicts():
    assert witness([LOWERCASE, CAPITALS]) is None
    assert witness([QUOTES, ("content:starts_with", {"phrase": "Well"})]) is None
    assert witness([ONE_SENTENCE, ("length:sentence_range", {"minimum": 2, "maximum": 2})]) is None


def test_witness__does_not_exist_for_unknown_kinds():
    assert witness([("made:up", {})]) is None
