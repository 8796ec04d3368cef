"""Count verdicts: margins worked out by hand, and the evidence of too many, too few and enough."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rewards.count_verdicts import (
    RELATIONS,
    count_verdict,
    each_part_count_verdict,
    each_part_verdict,
    forbidden_verdict,
    range_margin,
    range_verdict,
    relation_margin,
    required_verdict,
)

THREE = [(0, 1), (4, 5), (8, 9)]


@pytest.mark.parametrize(
    ("count", "bound", "relation", "margin"),
    [
        (5, 3, "at least", 2),
        (2, 3, "at least", -1),
        (2, 3, "less than", 0),  # 2 < 3, and one more would break it
        (3, 3, "less than", -1),
        (3, 3, "at most", 0),
        (5, 3, "at most", -2),
        (3, 3, "exactly", 0),
        (1, 3, "exactly", -2),
    ],
)
def test_relation_margin__is_the_distance_to_the_bound(count, bound, relation, margin):
    assert relation_margin(count, bound, relation) == margin


@settings(deadline=None)
@given(st.integers(0, 99), st.integers(0, 99), st.sampled_from(RELATIONS))
def test_relation_margin__is_not_negative_exactly_where_the_relation_holds(count, bound, relation):
    holds = {
        "at least": count >= bound,
        "less than": count < bound,
        "at most": count <= bound,
        "exactly": count == bound,
    }
    assert (relation_margin(count, bound, relation) >= 0) == holds[relation]


def test_range_margin__is_the_distance_to_the_nearer_end():
    assert [range_margin(count, 2, 6) for count in (0, 2, 3, 6, 9)] == [-2, 0, 1, 0, -3]


def test_count_verdict__evidence_of_too_many_is_those_past_the_bound():
    assert count_verdict(THREE, 2, "at most").evidence == ((8, 9),)
    assert count_verdict(THREE, 2, "less than").evidence == ((4, 5), (8, 9))
    assert range_verdict(THREE, 0, 1).evidence == ((4, 5), (8, 9))


def test_count_verdict__evidence_of_too_few_is_empty():
    assert count_verdict(THREE, 4, "at least").evidence == ()
    assert count_verdict(THREE, 4, "exactly").evidence == ()
    assert range_verdict(THREE, 4, 5).evidence == ()


def test_count_verdict__evidence_of_enough_is_the_occurrences():
    assert count_verdict(THREE, 3, "at least").evidence == tuple(THREE)
    assert count_verdict(THREE, 3, "at most").evidence == ()


def test_required_and_forbidden_verdict__count_missing_and_present():
    assert required_verdict([(0, 1), None, None]).margin == -2
    assert required_verdict([(4, 5), (0, 1)]).evidence == ((4, 5), (0, 1))
    assert forbidden_verdict(THREE).margin == -3
    assert forbidden_verdict([]).satisfied


def test_each_part_verdict__needs_a_part():
    assert not each_part_verdict("abc", [], []).satisfied
    assert not each_part_count_verdict("abc", [], [], 1, "at most").satisfied


def test_each_part_count_verdict__has_the_margin_of_the_worst_part():
    verdict = each_part_count_verdict("0123456789", THREE, [5, 1, 2], 3, "at least")
    assert (verdict.margin, verdict.evidence) == (-2, ((4, 5), (8, 9)))
