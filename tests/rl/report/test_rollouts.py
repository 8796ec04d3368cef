"""Rollouts in the report: which are shown, and what of their tokens."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rl.report import rollouts
from rl.report.rollouts import evenly_spaced, select_groups, token_readings
from tests.rl.report.run_fixtures import letter_spans, make_record


def test_token_readings__are_lists_with_one_value_per_token():
    record = make_record(entropy=[0.1, 0.2, 0.3], mask=[1, 1, 0], ratio=[1.0, 2.0], note="x")
    assert token_readings(record) == {"credit": [0.5, 1.5, 1.0], "entropy": [0.1, 0.2, 0.3], "mask": [1.0, 1.0, 0.0]}


def test_select_groups__attention_is_a_reading_and_its_mean_a_part_of_the_verdict():
    verdict = {**make_record()["verdicts"][0], "attention": [0.5, 1.0, 3.0]}
    (group,) = select_groups([make_record(verdicts=[verdict])], letter_spans)
    (member,) = group["members"]
    assert member["readings"]["attention to constraint 1"] == [0.5, 1.0, 3.0]
    assert member["verdicts"] == [{**verdict, "attention": 1.5}]


def test_token_readings__keep_three_significant_digits():
    assert token_readings(make_record(fai=[0.0012345, 0.0, 12.345]))["fai"] == [0.00123, 0.0, 12.3]


def test_select_groups__best_and_worst_of_a_group_stand_together():
    records = [
        make_record(which="best"),
        make_record(which="worst", completion="c,d"),
        make_record(which="equal", problem_id="sky"),
        make_record(which="best", step=2),
    ]
    groups = select_groups(records, letter_spans)
    shape = [(group["step"], group["problem_id"], [member["which"] for member in group["members"]]) for group in groups]
    assert shape == [(1, "sea", ["best", "worst"]), (1, "sky", ["equal"]), (2, "sea", ["best"])]
    assert groups[0]["members"][1]["spans"] == [(0, 1), (1, 2), (2, 3)]


@given(st.integers(1, 500), st.integers(2, 100))
def test_evenly_spaced__keeps_both_ends_and_the_distance(length, count):
    chosen = evenly_spaced(range(length), count)
    assert len(chosen) == min(length, count)
    assert (chosen[0], chosen[-1]) == (0, length - 1)
    gaps = {right - left for left, right in pairwise(chosen)}
    assert all(gap >= 1 for gap in gaps) and (not gaps or max(gaps) - min(gaps) <= 1)


def test_select_groups__long_completions_leave_room_for_fewer_steps(monkeypatch):
    monkeypatch.setattr(rollouts, "MAX_TOKENS", 12)
    records = [make_record(step=step) for step in range(1, 9)]
    # 8 steps of 3 tokens are 24; halved, 4 steps are 12
    assert [group["step"] for group in select_groups(records, letter_spans)] == [1, 3, 6, 8]


def test_select_groups__shows_what_each_segment_listens_to():
    # One segment; shares (2/3, 1/3), (1/2, 1/2), (1/4, 3/4): means 17/36 and 19/36, and nothing is above the mean but
    # the second, whose margin is 2/36; the first is measured over the whole, too.
    first, second = [2.0, 1.0, 1.0], [1.0, 1.0, 3.0]
    verdict = make_record()["verdicts"][0]
    verdicts = [{**verdict, "attention": first}, verdict, {**verdict, "attention": second}]
    (group,) = select_groups([make_record(verdicts=verdicts, boundary=[1.0, 1.0, 1.0])], letter_spans)
    heard = group["members"][0]["listening"]
    assert (heard["constraints"], heard["segments"]) == ([0, 2], ((0, 3),))
    assert heard["margins"] == pytest.approx([-2 / 36, 2 / 36])
    (group,) = select_groups([make_record(verdicts=verdicts)], letter_spans)  # of a run that recorded no boundaries
    assert group["members"][0]["listening"] is None
