"""Slots: answers, verdicts and evidence, worked out by hand."""

import pytest

from data.problems import user_text
from data.toy_tasks.slots import KIND, slot_answer, slot_digit, slot_problem, slot_score
from rewards.verdict import Verdict


def test_slot_answer__takes_the_larger_or_the_smaller_digit():
    # the larger of 7 and 5, the smaller of 2 and 8, the larger of 0 and 0
    assert slot_answer("7^5;2v8;0^0=") == "720"


def test_slot_problem__states_each_rule_where_its_span_says():
    problem = slot_problem(0, 3, slots=4)
    text = user_text(problem)
    assert [text[start:end] for spec in problem.constraints for start, end in spec.spans] == text[:-1].split(";")
    assert [spec.text for spec in problem.constraints] == text[:-1].split(";")
    assert [spec.kwargs for spec in problem.constraints] == [{"place": n, "evidence_at": n} for n in range(4)]
    assert {spec.id for spec in problem.constraints} == {KIND}
    assert problem.reference == slot_answer(text)


def test_slot_problem__depends_on_seed_index_and_slots():
    texts = {user_text(slot_problem(*key[:2], slots=key[2])) for key in [(0, 0, 4), (0, 1, 4), (1, 0, 4), (0, 0, 3)]}
    assert len(texts) == 4
    assert slot_problem(0, 0, slots=4) == slot_problem(0, 0, slots=4)


def test_slot_problem__shifted_evidence_lies_once_on_each_other_slot():
    plain, dealt = slot_problem(0, 0, slots=4), slot_problem(0, 0, slots=4, shift=1)
    assert user_text(plain) == user_text(dealt)
    assert [spec.kwargs["evidence_at"] for spec in dealt.constraints] == [1, 2, 3, 0]
    hidden = slot_problem(0, 0, slots=4, shift=None)
    assert [spec.kwargs for spec in hidden.constraints] == [{"place": place} for place in range(4)]


@pytest.mark.parametrize(
    ("completion", "place", "evidence_at", "expected"),
    [
        ("72", 1, 1, Verdict(satisfied=True, margin=0.0, evidence=((1, 2),))),
        ("75", 1, 1, Verdict(satisfied=False, margin=-1.0, evidence=((1, 2),))),
        ("7", 1, 1, Verdict(satisfied=False, margin=-1.0, evidence=())),
        ("75", 1, 0, Verdict(satisfied=False, margin=-1.0, evidence=((0, 1),))),
        ("", 0, 0, Verdict(satisfied=False, margin=-1.0, evidence=())),
        ("72", 1, None, Verdict(satisfied=True, margin=0.0, evidence=((1, 2),))),
        ("75", 1, None, Verdict(satisfied=False, margin=-1.0, evidence=())),
    ],
)
def test_slot_digit__judges_one_character_and_shows_one(completion, place, evidence_at, expected):
    assert slot_digit(completion, prompt="7^5;2v8=", place=place, evidence_at=evidence_at) == expected


@pytest.mark.parametrize(
    ("completion", "score"), [("7201", 1.0), ("7211", 0.75), ("72", 0.5), ("", 0.0), ("1072", 0.0), ("72019", 1.0)]
)
def test_slot_score__is_the_share_of_digits_in_their_places(completion, score):
    assert slot_score(completion, "7201") == score
