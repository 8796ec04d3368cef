"""Attributes: a text satisfies each of its attributes, and sets of attributes do not repeat themselves."""

from itertools import combinations
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.attribute_prompts import SIZES, attribute_problem, phrase_overlap, reconstruction_problem, sample_attributes
from data.attributes import Attribute, hard_attributes
from data.conflicts import conflict
from data.problems import from_row, to_row, user_text
from rewards.verifiers import verify

RAIN = "Rain falls on the old town. The streets are wet, and the children run home! Does anyone have an umbrella?"
BREAD = "# Bread\n\nBread is made from flour and water.\n\n- 500 grams of flour\n- some water\n- salt"
MOON = "The moon has no air. People walked on the moon in 1969."
POOL = [attribute for text in (RAIN, BREAD, MOON) for attribute in hard_attributes(text)]


def attribute_tuples(text):
    return {(attribute.id, *map(str, attribute.kwargs.values())) for attribute in hard_attributes(text)}


def test_hard_attributes__of_a_text_worked_out_by_hand():
    # 11 words; 2 sentences; moon twice; one number; no mark of ! ? ; : (
    assert {
        ("length:word_range", "10", "19"),
        ("length:sentence_range", "1", "4"),
        ("length:paragraph_range", "1", "1"),
        ("keywords:frequency", "moon", "2", "exactly"),
        ("keywords:existence", "['walked']"),
        ("content:numbers", "1", "exactly"),
        ("startend:first_word", "The"),
        ("startend:last_word", "1969"),
        ("content:ends_with_mark", "."),
        ("content:exclude_mark", "!"),
        ("punctuation:no_comma",),
    } <= attribute_tuples(MOON)
    assert ("content:no_digits",) not in attribute_tuples(MOON) and (
        "keywords:existence",
        "['the']",
    ) not in attribute_tuples(MOON)


def test_hard_attributes__count_markdown():
    assert {("format:headings", "1", "exactly"), ("format:bullet_items", "3", "exactly")} <= attribute_tuples(BREAD)
    assert ("format:plain_text",) in attribute_tuples(MOON) and ("format:plain_text",) not in attribute_tuples(BREAD)


@settings(deadline=None, max_examples=15)
@given(text=st.text(alphabet="ab cDE.!,?1\n-#*", min_size=1, max_size=80).filter(str.strip))
def test_hard_attributes__are_satisfied_by_their_text(text):
    attributes = hard_attributes(text)
    assert attributes
    for attribute in attributes:
        assert verify(attribute.id, text, prompt="", **attribute.kwargs).satisfied


@pytest.mark.parametrize("index", range(5))
def test_reconstruction_problem__is_satisfied_by_its_reference(index):
    problem = reconstruction_problem(0, index, RAIN, sizes=(3, 10))
    assert problem.reference == RAIN and 3 <= len(problem.constraints) <= 10
    for spec in problem.constraints:
        assert user_text(problem)[slice(*spec.spans[0])] == spec.text
        assert verify(spec.id, RAIN, prompt=user_text(problem), **spec.kwargs).satisfied


def test_reconstruction_problem__soft_attributes_are_in_the_prompt_but_not_constraints():
    problem = reconstruction_problem(0, 0, RAIN, sizes=(3, 3), describe=lambda text: ["the mood is calm"])
    (soft,) = problem.extras["soft"]
    assert user_text(problem)[slice(*soft["spans"][0])].lower() == soft["text"] == "the mood is calm"
    assert len(problem.constraints) == 3 and from_row(to_row(problem)) == problem


@pytest.mark.parametrize("index", range(10))
def test_attribute_problem__has_no_conflict_and_no_attribute_twice(index):
    problem = attribute_problem(1, index, POOL, sizes=(3, 12))
    drawn = [(spec.id, dict(spec.kwargs)) for spec in problem.constraints]
    assert 3 <= len(drawn) <= 12
    pairs = list(combinations(drawn, 2))
    assert pairs and all(one != other and conflict(one, other) is None for one, other in pairs)
    assert attribute_problem(1, index, POOL, sizes=(3, 12)) == problem


def make_attribute(phrase, topic, **kwargs):
    return Attribute(id="keywords:existence", kwargs=kwargs, phrase=phrase, topic=frozenset(topic.split()))


def test_sample_attributes__picks_the_least_overlap():
    # overlap 2/4 of a and b, 0 of a and c; whichever comes first, the pair with common words is never picked first
    a, b, c = (
        make_attribute(phrase, "x", keywords=[phrase]) for phrase in ("say red now", "say red twice", "leave out blue")
    )
    assert phrase_overlap(a, b) == 0.5 and phrase_overlap(a, c) == 0.0
    for seed in range(10):
        first, second, _ = sample_attributes([a, b, c], 3, Random(seed))
        assert c in (first, second)


def test_sample_attributes__prefer_related_texts(monkeypatch):
    monkeypatch.setattr("data.attribute_prompts.MAX_CANDIDATES", 3)
    sea = [make_attribute(f"say s{number}", "sea wave", keywords=[f"s{number}"]) for number in range(3)]
    law = [make_attribute(f"say l{number}", "law court", keywords=[f"l{number}"]) for number in range(3)]
    for seed in range(10):
        picked = sample_attributes([*sea, *law], 3, Random(seed))
        assert len({attribute.topic for attribute in picked}) == 1


def test_sample_attributes__sizes_outside_the_range_are_errors():
    with pytest.raises(ValueError, match=f"between {SIZES[0]} and {SIZES[1]}, got 2"):
        sample_attributes(POOL, 2, Random(0))
    with pytest.raises(ValueError, match="no attributes"):
        sample_attributes([], 3, Random(0))
